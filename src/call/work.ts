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
}

/** For what a call is made: a step of a request. */
export interface Errand {
  readonly work: Work
  /** The step's name; empty on a forward route. */
  readonly step: string
  readonly accounts: CallAccounts
}

const none = { bind: 0, send: 0, receive: 0, parse: 0, cache: 0 }

/** Work of which nobody keeps account. */
export const unwatched: Work = { on: () => 0, off: () => {} }

/** The accounts of nobody. */
export const noAccounts: CallAccounts & RouteAccounts = { ...none, accept: 0, merge: 0, transform: 0, respond: 0 }
