import type { Call, Outcome, Upstream } from '../call/call.ts'
import { failure, verdictOf } from '../call/failure.ts'
import { Load, chooseOfTwo } from '../policy/balance.ts'
import { type Ejection, Standing, blame, inUse } from '../policy/outlier.ts'

/** One endpoint as the balancer uses it. */
export interface Wired {
  readonly key: string
  readonly upstream: Upstream
  /** Ends its connections. */
  readonly destroy: () => Promise<void>
}

interface Member extends Wired {
  readonly load: Load
  readonly standing: Standing
  /** Counts the end of a call that was not chosen for; made once, for it is on the way of every such call. */
  readonly pass: (outcome: Outcome) => Outcome
}

/** What is to be seen of one endpoint. */
export interface EndpointState {
  readonly key: string
  readonly inFlight: number
  readonly ejected: boolean
  readonly healthy: boolean
}

/**
 * The endpoints of an upstream, which may change: spreads calls over those in use, by power of two choices on
 * in-flight × latency, and takes out those whose calls or checks fail.
 */
export class Endpoints {
  readonly #now: () => number
  readonly #random: () => number
  readonly #ejection: Ejection | null
  readonly #onEject: (key: string, ejected: boolean) => void
  #members: readonly Member[] = []
  /** Those of the members among which there is a choice. */
  #inUse: readonly Member[] = []
  /** The moment of the next return from an ejection. */
  #returnsAt = Infinity
  /** Those that are no members any more but still have calls. */
  readonly #leaving = new Set<Member>()

  /** Without an ejection none is ejected; `onEject` is told of each and of its end, seen at the next call or look. */
  constructor(
    now: () => number,
    random: () => number,
    ejection: Ejection | null,
    onEject: (key: string, ejected: boolean) => void = () => {},
  ) {
    this.#now = now
    this.#random = random
    this.#ejection = ejection
    this.#onEject = onEject
  }

  /** How many there are. */
  get size(): number {
    return this.#members.length
  }

  /** How many of them are out, by ejection or by checks, though in a panic they have calls all the same. */
  get out(): number {
    return this.#members.filter(({ standing }) => !standing.usable).length
  }

  /** Sends each call to the better of two endpoints, one that it was not sent to before if there is one. */
  readonly upstream: Upstream = (call, scope) => {
    if (this.#members.length < 2) {
      const only = this.#members[0]
      // With one there is nothing to choose, hence nothing to learn.
      if (only === undefined) return Promise.resolve(failure('dns_error', 'no address is known'))
      call.tried?.add(only.key)
      only.load.begin()
      return only.upstream(call, scope).then(only.pass)
    }
    const began = this.#now()
    this.#review(began)
    const chosen = chooseOfTwo(this.#inUse, began, this.#random, call.tried)
    call.tried?.add(chosen.key)
    chosen.load.begin()
    return chosen.upstream(call, scope).then((outcome) => {
      this.#learn(chosen, call, outcome, began)
      return outcome
    })
  }

  /**
   * Makes these the endpoints. Those whose key stays keep their history and connections, new ones are made and start
   * slowly beside them; all others take no new calls and are destroyed when their last call ends.
   */
  set(keys: readonly string[], make: (key: string) => Omit<Wired, 'key'>): void {
    const now = this.#now()
    const gone = new Map(this.#members.map((member) => [member.key, member]))
    this.#members = [...new Set(keys)].map((key) => {
      const member = gone.get(key) ?? this.#make(key, make(key), now)
      gone.delete(key)
      return member
    })
    // One always stays; and with nothing to choose nobody would see that its time is over.
    const only = this.#members.length === 1 ? this.#members[0] : undefined
    if (only?.standing.ejected === true && only.standing.review(Infinity)) this.#onEject(only.key, false)
    this.#choose()
    for (const member of gone.values()) {
      this.#leaving.add(member)
      if (member.standing.ejected) this.#onEject(member.key, false)
      this.#part(member)
    }
  }

  /** Takes what an active check has found of an endpoint. */
  judge(key: string, healthy: boolean): void {
    const member = this.#members.find((one) => one.key === key)
    if (member === undefined || member.standing.healthy === healthy) return
    member.standing.judge(healthy)
    if (healthy) this.#start(member, this.#now())
    this.#choose()
  }

  /** Tells how each of them is. */
  list(): readonly EndpointState[] {
    this.#review(this.#now())
    return this.#members.map(({ key, load: { inFlight }, standing: { ejected, healthy } }) => {
      return { key, inFlight, ejected, healthy }
    })
  }

  /** Ends all connections, those in use among them. */
  async destroy(): Promise<void> {
    const all = [...this.#members, ...this.#leaving]
    this.#leaving.clear()
    this.#members = []
    this.#choose()
    await Promise.all(all.map((member) => member.destroy()))
  }

  #make(key: string, { upstream, destroy }: Omit<Wired, 'key'>, now: number): Member {
    const load = new Load()
    const pass = (outcome: Outcome): Outcome => {
      load.pass()
      this.#part(member)
      return outcome
    }
    const member: Member = { key, upstream, destroy, load, standing: new Standing(), pass }
    // The first of all have no others to start beside.
    if (this.#inUse.length > 0) this.#start(member, now)
    return member
  }

  #learn(member: Member, { sink }: Call, outcome: Outcome, began: number): void {
    const now = this.#now()
    const verdict = verdictOf(outcome)
    const { load, standing } = member
    // A stream lasts as long as it lasts: that says nothing of how quick the endpoint is, and 0 teaches nothing.
    const tookMs = sink === undefined ? now - began : 0
    if (verdict === 'unknown') load.leave(now, tookMs)
    // Where an overload is, though it was told at once, the next call is better not.
    else if (verdict === 'good') load.end(now, tookMs)
    else load.fail(now, tookMs, this.#loads())

    if (verdict === 'good') standing.succeed()
    if (verdict === 'bad' && this.#ejection !== null) this.#blame(member, now, this.#ejection)
    this.#part(member)
  }

  #blame(member: Member, now: number, ejection: Ejection): void {
    // One whose time is over would still be counted as out.
    this.#review(now)
    if (this.#leaving.has(member) || !blame(this.#members, member, now, ejection)) return
    this.#choose()
    this.#onEject(member.key, true)
  }

  /** Takes back those whose ejection is over. */
  #review(now: number): void {
    if (now < this.#returnsAt) return
    const back = this.#members.filter(({ standing }) => standing.review(now))
    for (const member of back) this.#start(member, now)
    this.#choose()
    for (const { key } of back) this.#onEject(key, false)
  }

  #start({ load }: Member, now: number): void {
    load.start(now, this.#loads())
  }

  #loads(): Load[] {
    return this.#inUse.map((member) => member.load)
  }

  // Done when something changes, so that a call finds the choice made.
  #choose(): void {
    this.#inUse = inUse(this.#members)
    this.#returnsAt = Math.min(...this.#members.map(({ standing }) => standing.returnsAt))
  }

  /** Destroys one that leaves once nothing is under way to it. */
  #part(member: Member): void {
    if (member.load.inFlight === 0 && this.#leaving.delete(member)) void member.destroy()
  }
}
