// The code is what the hand-written types say it is; only a type checker reads this file.

import type * as written from '../../placet.js';
import * as code from '../../src/index.js';

export const conforms: typeof written = code;
export const nothingElse: Record<Exclude<keyof typeof code, keyof typeof written>, never> = {};
