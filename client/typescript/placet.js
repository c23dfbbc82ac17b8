/** The client of Placet: ask people for approval, and wait for their answer. */

export * from './src/index.js';
