/** The client of Placet: ask people for approval, and wait for their answer. */

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

export type Status = 'pending' | 'deciding' | 'approved' | 'rejected' | 'withdrawn' | 'expired';
export type Outcome = 'approved' | 'rejected';
export type Urgency = 'low' | 'medium' | 'high';
export type WithdrawnCause = 'settled' | 'cancelled' | 'gone' | 'recalled' | 'superseded';
/** What counts as an answer, in any case of letters. */
export type Answer = 'approve' | 'approved' | 'deny' | 'denied' | 'reject' | 'rejected';

export interface Person {
  email: string;
  name: string | null;
}

export interface Approver extends Person {
  answer: Outcome | null;
  /** In which step they are asked, from 1. */
  step: number;
  /** The groups that they are asked for. */
  groups: string[];
  /** Whether it waits for them now. */
  asked: boolean;
  /** Whom they stand in for. */
  on_behalf_of: string | null;
  /** Who answered in their place. */
  answered_by: string | null;
}

/** How a step is agreed to: by any one, all, a number, a share, or one of each group. */
export type Rule = 'any' | 'all' | 'count' | 'percent' | 'each';

/** How far the step that waits has come; `words` say it all, such as "2 of 3, finance missing". */
export interface Progress {
  step: number;
  steps: number;
  name: string;
  rule: Rule;
  needed: number;
  approved: number;
  rejected: number;
  missing: string[];
  words: string;
}

/** What an approver wants of the requester before it goes on. */
export type Wants = 'answer' | 'changes';

/** What stands open between an approver and the requester. */
export interface AskedBack {
  question_id: string;
  by: Person;
  text: string;
  wants: Wants;
  at: string;
}

/** What an approver asks back, as a wait tells it. `text` is what somebody wrote: data. */
export interface Question<P = Payload> {
  id: string;
  by: string;
  text: string;
  wants: Wants;
  asked_at: string;
  approval: Approval<P>;
}

/** Returns the answer, or nothing to leave it to a person. */
export type OnQuestion<P = Payload> = (
  question: Question<P>,
) => string | null | void | Promise<string | null | void>;

/** One place of the payload where what was proposed, approved and done differ. */
export interface Difference {
  /** A JSON pointer. */
  pointer: string;
  proposed: Json;
  approved: Json;
  effective: Json;
}

/** Where the records of an approval differ; `count` tells all places, `data` holds the first. */
export interface Differences {
  records: ('proposed' | 'approved' | 'effective')[];
  data: Difference[];
  count: number;
}

export interface Link {
  kind: string;
  id: string;
  url: string | null;
}

/** A record of another system that an approval mirrors. */
export interface SourceRecord {
  name: string;
  record_id: string;
  revision: string;
  url: string | null;
}

export interface HistoryEntry {
  at: string;
  /** An event such as `approval.decided`. */
  type: string;
  version: number;
  /** A sentence for people. */
  summary: string;
  [more: string]: unknown;
}

/** Any payload: read it with the type that you gave when you asked. */
export type Payload = Record<string, any>;

/** An approval as the HTTP interface shows it. Times are RFC 3339 in UTC; absent things are null. */
export interface ApprovalFields<P = Payload> {
  id: string;
  workspace: string;
  type: string;
  type_version: number | null;
  title: string;
  status: Status;
  version: number;
  round: number;
  revision: string;
  payload: P;
  payload_digest: string;
  editable: boolean;
  /** What the approver made of the payload, where they may. */
  edited_payload: P | null;
  edited_payload_digest: string | null;
  requester: Person;
  approvers: Approver[];
  /** Why it is asked. */
  reason: string | null;
  urgency: Urgency;
  source: SourceRecord | null;
  subject: string | null;
  checkpoint_name: string | null;
  execution_id: string | null;
  agent_id: string | null;
  links: Link[];
  metadata: Record<string, any>;
  created_at: string;
  updated_at: string;
  expires_at: string;
  verified_at: string | null;
  outcome: Outcome | null;
  decided_by: string | null;
  decided_at: string | null;
  decision_reason: string | null;
  decision_channel: string | null;
  withdrawn_by: string | null;
  withdrawn_reason: string | null;
  withdrawn_cause: WithdrawnCause | null;
  superseded_by: string | null;
  acknowledged_by: string | null;
  acknowledged_at: string | null;
  /** What was reported as really done. */
  effective_payload: P | null;
  effective_payload_digest: string | null;
  /** Null where any one of the approvers decides. */
  progress: Progress | null;
  /** What an approver asks of the requester now. */
  asked_back: AskedBack | null;
  /** Until when an answer can be taken back, while one is held. */
  held_until: string | null;
  /** The policy and all answers, in every detail; null while nothing happened to a plain ask. */
  course: Record<string, any> | null;
}

/** An approval at one moment; it does not follow what happens later: `get` or `wait` again. */
export interface Approval<P = Payload> extends ApprovalFields<P> {
  /** Whether nothing can change its outcome any more. */
  readonly isFinal: boolean;
  /** Whether somebody said yes, and that is final. */
  readonly approved: boolean;
  /** What was approved: the payload as the approver edited it, otherwise as it was asked. */
  readonly effectivePayload: P;
  /** The digest of what was approved. */
  readonly effectiveDigest: string;
  /** Throw `Rejected`, `Withdrawn`, `Expired` or `NotDecidedInTime` unless it is approved. */
  requireApproved(): void;
  /**
   * Reject unless exactly this payload was approved: call it before doing the thing.
   * Rejects as `requireApproved` throws, and with `ArgumentsChanged` for another payload.
   */
  check(payload: unknown): Promise<void>;
}
export const Approval: new (fields: ApprovalFields) => Approval;

/** One page; `for await` goes through its approvals and those of all pages after it. */
export interface Page<P = Payload> extends AsyncIterable<Approval<P>> {
  /** The approvals of this page alone. */
  readonly data: Approval<P>[];
  /** Where the next page begins; null after the last one. */
  readonly next_cursor: string | null;
  /** How many there are in all, where that is told: by `queue`. */
  readonly count: number | null;
}

export interface CallOptions {
  /** Gives up when it aborts: the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface CreateOptions extends CallOptions {
  /** The same key and ask again: the same approval. Without one, each call asks anew. */
  idempotencyKey?: string | undefined;
}

export type CommentOptions = CreateOptions;

export interface AcknowledgeOptions extends CallOptions {
  /** What was really done, where that is to be kept. */
  effectivePayload?: object | undefined;
}

export interface QuestionOptions extends CreateOptions {
  /** `'changes'` returns it to the requester; `'answer'` if left out. */
  wants?: Wants | undefined;
  approver?: string | undefined;
  revision?: string | number | undefined;
}

export interface UndoOptions extends CallOptions {
  /** Whose answer; left out: of the key's own. */
  approver?: string | null | undefined;
}

export interface AnswerOptions extends CallOptions {
  /** Left out: the question that stands open. */
  questionId?: string | undefined;
}

/** What to change of an ask; left out: as it is. */
export interface Revision {
  payload?: object | null | undefined;
  title?: string | null | undefined;
  reason?: string | null | undefined;
  revision?: string | number | null | undefined;
}

export interface Reassignment {
  /** Who is asked from now on. */
  to: string;
  /** Instead of whom; left out: of the key's own person. */
  person?: string | null | undefined;
  reason?: string | null | undefined;
  approver?: string | null | undefined;
}

/** What an ask may say; undefined, null and left out are the same. */
export interface CreateApproval {
  type: string;
  title: string;
  /** What is to be approved: an object of plain JSON. */
  payload?: object | null | undefined;
  /** Left out where the type or the server has some. */
  approvers?: readonly (string | { email: string; name?: string | null })[] | null | undefined;
  requester?: string | { email: string; name?: string | null } | null | undefined;
  reason?: string | null | undefined;
  urgency?: Urgency | null | undefined;
  /** Seconds. */
  expires_in?: number | null | undefined;
  expires_at?: string | Date | null | undefined;
  callback_url?: string | null | undefined;
  links?: readonly { kind: string; id: string; url?: string | null }[] | null | undefined;
  /** What it is about: a newer revision of the same type and subject supersedes the older ask. */
  subject?: string | null | undefined;
  revision?: string | number | null | undefined;
  checkpoint_name?: string | null | undefined;
  execution_id?: string | null | undefined;
  agent_id?: string | null | undefined;
  metadata?: object | null | undefined;
  /** Whether a later comment by a person withdraws it. */
  supersede_on_comment?: boolean | null | undefined;
  /** Whether an approver may change the payload. */
  editable?: boolean | null | undefined;
}

export interface Decision {
  decision: Answer;
  reason?: string | null | undefined;
  /** Somebody else than the key's own principal; needs a key that decides for others. */
  approver?: string | null | undefined;
  /** What was looked at: refused with `StaleRevision` if it changed since. */
  revision?: string | number | null | undefined;
  /** What is approved instead, where the approval is editable. */
  payload?: object | null | undefined;
}

export interface ListFilters {
  status?: Status | undefined;
  approver?: string | undefined;
  requester?: string | undefined;
  type?: string | undefined;
  source?: string | undefined;
  subject?: string | undefined;
  /** False: final ones that were asked for here and that nobody acknowledged. */
  acknowledged?: boolean | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

export interface QueueFilters {
  /** Whose queue; the key's own principal if left out. */
  approver?: string | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

export interface WaitOptions extends CallOptions {
  /** Seconds; without it, as long as the approval can live. */
  timeout?: number | undefined;
  /** Called once with each question that an approver asks back, within some ten seconds. */
  onQuestion?: OnQuestion<any> | undefined;
}

export interface WithdrawOptions extends CallOptions {
  reason?: string | undefined;
}

/** Asks, answers, and waits. Every call is safe to repeat, and is repeated while Placet is away. */
export interface Approvals {
  /** Ask; durable once it resolves. */
  create<P extends object = Payload>(
    ask: CreateApproval & { payload?: P | null | undefined },
    options?: CreateOptions,
  ): Promise<Approval<P>>;
  get<P = Payload>(id: string, options?: CallOptions): Promise<Approval<P>>;
  /** A page, newest first. */
  list<P = Payload>(filters?: ListFilters, options?: CallOptions): Promise<Page<P>>;
  /** A page of what somebody still needs to complete, most urgent first. */
  queue<P = Payload>(filters?: QueueFilters, options?: CallOptions): Promise<Page<P>>;
  /**
   * Answer; still pending where others must answer too: `progress` says who. Rejects with
   * `AlreadyResolved` or `StaleRevision`, which hold the approval.
   */
  decide<P = Payload>(id: string, decision: Decision, options?: CallOptions): Promise<Approval<P>>;
  /** Take back an answer that was given in the inbox or on a channel, until `held_until`. */
  undo<P = Payload>(id: string, options?: UndoOptions): Promise<Approval<P>>;
  /** Resolve once it is final, whatever the outcome; rejects with `NotDecidedInTime`. */
  wait<P = Payload>(id: string, options?: WaitOptions): Promise<Approval<P>>;
  /** Recall an ask. */
  withdraw<P = Payload>(id: string, options?: WithdrawOptions): Promise<Approval<P>>;
  /** Say that the outcome was heard. */
  acknowledge<P = Payload>(id: string, options?: AcknowledgeOptions): Promise<Approval<P>>;
  /** Ask the requester, as approver; the clock stands still until they answer. */
  askBack<P = Payload>(id: string, text: string, options?: QuestionOptions): Promise<Approval<P>>;
  /** Answer what was asked back, as requester. */
  answer<P = Payload>(id: string, text: string, options?: AnswerOptions): Promise<Approval<P>>;
  /** Change what is asked, as requester: a new revision, for which all answer anew. */
  revise<P = Payload>(id: string, change: Revision, options?: CallOptions): Promise<Approval<P>>;
  /** Let somebody else be asked instead. */
  reassign<P = Payload>(
    id: string,
    reassignment: Reassignment,
    options?: CallOptions,
  ): Promise<Approval<P>>;
  /** Remind whoever has not answered; rejects with `Conflict` within an hour of the last time. */
  remind<P = Payload>(id: string, options?: CallOptions): Promise<Approval<P>>;
  comment<P = Payload>(id: string, text: string, options?: CommentOptions): Promise<Approval<P>>;
  /** What happened, oldest first. */
  history(id: string, options?: CallOptions): Promise<HistoryEntry[]>;
  links(id: string, options?: CallOptions): Promise<Link[]>;
  /** Where what was proposed, approved and done differ. */
  difference(id: string, options?: CallOptions): Promise<Differences>;
}

/** What is known of somebody. */
export interface ResolvedPerson {
  email: string;
  /** False: an address and nothing else. */
  known: boolean;
  name: string | null;
  active: boolean;
  manager: string | null;
  groups: string[];
  roles: string[];
  time_zone: string | null;
  channels: Record<string, string>;
  [more: string]: unknown;
}

/** Who is who. */
export interface People {
  get(email: string, options?: CallOptions): Promise<ResolvedPerson>;
  /** What is known of up to 200 people, in their order. */
  resolve(emails: readonly string[], options?: CallOptions): Promise<ResolvedPerson[]>;
}

/** Somebody stands in for somebody else for a while. */
export interface Delegation {
  id: string;
  person: string;
  to: string;
  begins: string;
  ends: string;
  reason: string | null;
  [more: string]: unknown;
}

export interface DelegationFilters {
  person?: string | undefined;
  to?: string | undefined;
}

export interface CreateDelegation {
  to: string;
  begins: string | Date;
  ends: string | Date;
  /** Left out: the key's own person. */
  person?: string | null | undefined;
  reason?: string | null | undefined;
}

/** Who stands in for whom, and from when until when. */
export interface Delegations {
  /** All of somebody, to somebody, or all that hold now or later. */
  list(filters?: DelegationFilters, options?: CallOptions): Promise<Delegation[]>;
  create(delegation: CreateDelegation, options?: CallOptions): Promise<Delegation>;
  /** End one now. */
  end(id: string, options?: CallOptions): Promise<Delegation>;
}

/** How it is known who answers, from the least to the most. */
export type Assurance = 'link' | 'key' | 'channel' | 'session' | 'step_up';

export interface Policy {
  name: string;
  version: number;
  applies_to: { types: string[]; sources: string[]; when: string | null };
  steps: { name: string; approvers: string[]; rule: string; deny: number; when: string | null }[];
  /** How well it must be known who answers; null: as it comes. */
  assurance: Assurance | null;
  [more: string]: any;
}

/** Who must say yes to what. */
export interface Policies {
  /** In the order in which they are tried. */
  list(options?: CallOptions): Promise<Policy[]>;
}

export interface PlacetOptions {
  /** `PLACET_URL` where there is an environment, otherwise http://127.0.0.1:8080. */
  url?: string | undefined;
  /** `PLACET_KEY` where there is an environment. */
  key?: string | undefined;
  /** Seconds for each attempt; 30 if left out. */
  timeout?: number | undefined;
  /** How often a call is sent at the most while Placet is away; 5 if left out. */
  attempts?: number | undefined;
  fetch?: typeof fetch | undefined;
}

/** A client of one Placet with one key. Throws `WrongAddress` and `WrongKey`. */
export class Placet {
  constructor(options?: PlacetOptions);
  readonly approvals: Approvals;
  readonly people: People;
  readonly delegations: Delegations;
  readonly policies: Policies;
}

/** The SHA-256 of a payload's canonical JSON (RFC 8785) in hexadecimal, as Placet computes it. */
export function payloadDigest(payload: unknown): Promise<string>;

/** What a webhook of Placet says. */
export interface WebhookEvent {
  /** Such as `approval.decided`. */
  type: string;
  timestamp: string;
  data: {
    approval_id: string;
    event_id: string;
    /** Events with the same key are in order by `sequence`. */
    ordering_key: string;
    sequence: number;
    url: string;
    [more: string]: any;
  };
}

/**
 * What a webhook says, or `BadSignature`. Give the raw body, before anything parsed it.
 * `tolerance` is in seconds, 300 if left out.
 */
export function verifyWebhook<Event = WebhookEvent>(
  body: string | ArrayBuffer | ArrayBufferView,
  headers: Headers | Record<string, string | readonly string[] | undefined>,
  secret: string,
  options?: { tolerance?: number; now?: Date },
): Promise<Event>;

/** A value, or a function of the arguments that returns it. */
export type Given<T, Args extends any[]> = T | ((...args: Args) => T);

type Ask<Args extends any[]> = {
  [Name in keyof Omit<CreateApproval, 'type' | 'title' | 'payload' | 'editable'>]?: Given<
    CreateApproval[Name] | undefined,
    Args
  >;
};

/** What else an ask may say is taken too, as values or as functions of the arguments. */
export interface ApprovalRequired<Args extends any[], Fallback = never>
  extends Ask<Args>,
    CallOptions {
  type: string;
  /** Left out: made at the first call, from the environment. */
  client?: Placet | undefined;
  /** Whether these arguments need an approval at all. */
  when?: ((...args: Args) => boolean | Promise<boolean>) | undefined;
  /** Left out: the function's name. */
  title?: Given<string | null | undefined, Args>;
  /** Left out: the only argument if it is an object, otherwise `{ arguments: [...] }`. */
  payload?: ((...args: Args) => object | Promise<object>) | undefined;
  /** Whether the approver may change the payload; the action then runs with theirs. */
  editable?: boolean | undefined;
  /** How an edited payload becomes arguments; needed for an editable payload of your own. */
  apply?: ((payload: any, ...args: Args) => Args | Promise<Args>) | undefined;
  /** Seconds; when they are over the approval is withdrawn. An answer before that counts. */
  timeout?: number | undefined;
  /** What runs instead when the time is over; `'raise'` (the default): `NotDecidedInTime`. */
  onTimeout?: 'raise' | ((...args: Args) => Fallback | Promise<Fallback>) | undefined;
  /** Called once with each question that an approver asks back; it waits on in any case. */
  onQuestion?: OnQuestion<any> | undefined;
  /** The same key: the same approval, and one action. Without it each call asks anew. */
  idempotencyKey?: Given<string | undefined, Args>;
}

/**
 * A function that asks before it runs `action`, and runs it with exactly what was approved.
 * Rejects with `Rejected`, `Withdrawn`, `Expired`, `NotDecidedInTime`, `ArgumentsChanged`, or
 * `AlreadyCarriedOut`.
 */
export function requiresApproval<Args extends any[], Result, Fallback = never>(
  options: ApprovalRequired<Args, Fallback>,
  action: (...args: Args) => Result,
): (...args: Args) => Promise<Awaited<Result> | Awaited<Fallback>>;

export interface FieldError {
  /** A JSON pointer, such as `/payload/amount`. */
  pointer: string;
  detail: string;
}

/** An RFC 9457 problem document. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  /** Stays the same over releases. */
  code: string;
  detail: string;
  errors?: FieldError[];
}

/** Anything that this client rejects with of its own. */
export class PlacetError extends Error {
  constructor(
    message: string,
    more?: { problem?: Problem | null; retryAfter?: number | null; cause?: unknown },
  );
  /** The server's answer; null where it gave none. */
  readonly problem: Problem | null;
  readonly code: string | null;
  readonly status: number | null;
  /** How many seconds the server asked to be left alone, if it did. */
  readonly retryAfter: number | null;
}

/** There is no key, or it is wrong, revoked or expired: use another one. */
export class WrongKey extends PlacetError {}

/** Something answered that is not Placet, or the address is none: correct it. */
export class WrongAddress extends PlacetError {}

/** The key may not do that: the message says who may, or which scope is needed. */
export class NotAllowed extends PlacetError {}

/** There is no such approval in this key's workspace. */
export class NotFound extends PlacetError {}

/** The approval is not in a state for that; `approval` is how it is now, if known. */
export class Conflict extends PlacetError {
  constructor(message: string, more?: { problem?: Problem | null; approval?: Approval | null });
  readonly approval: Approval | null;
}

/** Somebody was first: read `approval`, and take that for the outcome. */
export class AlreadyResolved extends Conflict {}

/** It changed since it was looked at: look at `approval`, and answer that. */
export class StaleRevision extends Conflict {}

/** The request is wrong: `errors` name the fields. Sending it again cannot help. */
export class Invalid extends PlacetError {
  constructor(message: string, more?: { problem?: Problem | null });
  readonly errors: FieldError[];
}

/** Placet could not be reached or could not answer, after several attempts: come again later. */
export class Unavailable extends PlacetError {}

/** It is not approved: do not do it. `approval` is how it is now. */
export class NotApproved extends PlacetError {
  constructor(approval: Approval, message?: string);
  readonly approval: Approval;
}

/** Somebody said no. */
export class Rejected extends NotApproved {
  constructor(approval: Approval);
}

/** It was recalled, settled elsewhere, or superseded by `approval.superseded_by`. */
export class Withdrawn extends NotApproved {
  constructor(approval: Approval);
}

/** Nobody decided before it expired: ask again if it is still wanted. */
export class Expired extends NotApproved {
  constructor(approval: Approval);
}

/** Nobody decided within the time that was waited; it may still be decided later. */
export class NotDecidedInTime extends NotApproved {
  constructor(approval: Approval);
}

/** What this approval allowed was done and acknowledged before: one approval, one action. */
export class AlreadyCarriedOut extends PlacetError {
  constructor(approval: Approval);
  readonly approval: Approval;
}

/** What is about to run is not what was approved: do not run it; ask again for what it is. */
export class ArgumentsChanged extends PlacetError {}

/** A webhook was not signed with this secret, or not lately: answer 401 and do nothing. */
export class BadSignature extends PlacetError {}
