/** A number under which the ledger keeps what the loop spends on one thing; 0 is nobody's. */
export type Account = number

/** The accounts of calls to one upstream for one route. */
export interface CallAccounts {
  readonly bind: Account
  readonly send: Account
  readonly receive: Account
  readonly parse: Account
  readonly cache: Account
}

/** The accounts of a route beside its calls. */
export interface RouteAccounts {
  readonly accept: Account
  readonly merge: Account
  readonly transform: Account
  readonly respond: Account
}

/**
 * What the loop does for one request. Whoever begins some of it says on whose account that is, and what was on before
 * is over: so nothing need be said at its end, but where the loop is left to others.
 */
export interface Work {
  /** Charges the loop's time to this account from here on. Gives the one that it was charged to before. */
  on(account: Account): Account
  /** Says that the loop goes on with what cannot be named. */
  off(): void
  /** Takes note of an attempt at one of its calls, which goes on. */
  note(attempt: AttemptTimes): void
}

/** One sending of a call, while it goes on and when it is over; moments on the clock of `performance.now()`. */
export interface AttemptTimes {
  readonly step: string
  readonly upstream: string
  readonly endpoint: string
  readonly method: string
  readonly path: string
  readonly spanId: string
  /** How often the call was sent before. */
  readonly resend: number
  /** Whether it races another. */
  readonly hedge: boolean
  readonly began: number
  /** When it had a connection to go over, and when that was there. */
  queued: number
  connected: number
  /** When all of it was sent, and when the head of the reply was in. */
  sent: number
  head: number
  ended: number
  /** 0 while there is none. */
  status: number
  error: string | null
  /** How long its reply may have lain there unseen, at most. */
  loopWaitMs: number
}

/** For what a call is made: a step of a request. */
export interface Errand {
  readonly work: Work
  /** The step's name; empty on a forward route. */
  readonly step: string
  readonly upstream: string
  readonly accounts: CallAccounts
  /** How often the call was sent. */
  sent: number
}

const none = { bind: 0, send: 0, receive: 0, parse: 0, cache: 0 }

/** Work of which nobody keeps account. */
export const unwatched: Work = { on: () => 0, off: () => {}, note: () => {} }

/** The accounts of nobody. */
export const noAccounts: CallAccounts & RouteAccounts = { ...none, accept: 0, merge: 0, transform: 0, respond: 0 }
