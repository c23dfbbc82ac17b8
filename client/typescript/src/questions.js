/** Hears what an approver asks back while a program waits: each question once. */

import { Conflict, Unavailable } from './errors.js';

/** @import { Approvals, ApprovalFields, Question } from '../placet.js' */

/** What one wait has heard, and what is to be said to it. */
export class Listening {
  #approvals;
  #onQuestion;
  /** @type {Map<string, string | null | undefined>} */
  #replies = new Map();

  /**
   * @param {Pick<Approvals, 'answer'>} approvals
   * @param {(question: Question) => unknown} onQuestion
   */
  constructor(approvals, onQuestion) {
    this.#approvals = approvals;
    this.#onQuestion = onQuestion;
  }

  /**
   * Tell the listener what stands open, and send what it answers.
   *
   * @param {ApprovalFields} approval
   * @param {AbortSignal} [signal]
   */
  async hear(approval, signal) {
    const asked = approval.asked_back;
    if (!asked) return;
    const { question_id: id, by, text, wants, at } = asked;
    if (!this.#replies.has(id)) {
      const question = { id, by: by.email, text, wants, asked_at: at, approval };
      const said = await this.#onQuestion(/** @type {any} */ (question));
      if (typeof said !== 'string' && said !== null && said !== undefined) {
        throw new TypeError('onQuestion: return the answer as text, or nothing to leave it');
      }
      this.#replies.set(id, said);
    }
    const reply = this.#replies.get(id);
    if (reply === null || reply === undefined) return;
    try {
      await this.#approvals.answer(approval.id, reply, { questionId: id, signal });
    } catch (error) {
      // Somebody was first; or Placet is away, and the next round sends it again.
      if (!(error instanceof Conflict) && !(error instanceof Unavailable)) throw error;
    }
  }
}
