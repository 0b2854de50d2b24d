import { ADDRCONFIG, type SrvRecord } from 'node:dns'
import * as dns from 'node:dns/promises'
import { isIP } from 'node:net'
import type { FailureName } from '../call/failure.ts'
import type { Alarm, Wheel } from '../call/wheel.ts'

/** Where an upstream is said to listen: an origin of http, https or srv, and the path below which it lives. */
export interface Endpoint {
  readonly origin: string
  readonly path: string
}

/** An address that an endpoint's name stands for, or that it is. */
export interface Address {
  /** Tells it from all others: `http://10.0.0.1:8080/v1 users.svc`. */
  readonly key: string
  /** Scheme, name and port as written, for `Host` and the name in TLS; of a service, those of its target. */
  readonly origin: string
  /** What to connect to: an IP address, without brackets. */
  readonly host: string
  readonly port: number
  readonly path: string
}

/** What a resolver follows, how often it asks, and whom it tells. */
export interface ResolverOptions {
  readonly endpoints: readonly Endpoint[]
  /** The time from an answer to the next question, give or take a fifth: many gateways must not ask as one. */
  readonly everyMs: number
  /** How long a lookup may take before it counts as failed; its answer is taken all the same. */
  readonly timeoutMs: number
  readonly wheel: Wheel
  readonly random: () => number
  /** Is told all addresses, in no order, whenever they are others; of IP addresses from within the constructor. */
  readonly onChange: (addresses: readonly Address[]) => void
  /** Is told of each lookup that fails. */
  readonly onFailure?: (name: string, error: FailureName, detail: string) => void
  readonly lookup?: (name: string) => Promise<readonly { readonly address: string }[]>
  readonly resolveSrv?: (name: string) => Promise<readonly SrvRecord[]>
}

/**
 * Follows the addresses of an upstream's endpoints: asks for each name again and again, on an interval because
 * getaddrinfo, which alone knows /etc/hosts and the search domains of Kubernetes, tells no TTL. All addresses of a name
 * are used, and the last known are kept while lookups fail. A name is never asked for twice at once, since getaddrinfo
 * has four threads.
 *
 * An origin such as `srv://_http._tcp.users.shop.svc.cluster.local` stands for the targets of its SRV records (RFC
 * 2782), spoken to by http, or by https if the service is `_https`. The name has to be whole: no search domain is
 * added. Only targets of the lowest priority are used; weights are ignored, since calls go where latency is least.
 */
export class Resolver {
  /** Settles when the first answer, good or bad, is in for every name. */
  readonly ready: Promise<void>
  readonly #options: ResolverOptions
  readonly #endpoints: readonly Parts[]
  readonly #hosts = new Map<string, Followed<string>>()
  readonly #services = new Map<string, Followed<Target>>()
  /** The targets in use of each service. */
  readonly #targets = new Map<string, readonly Target[]>()
  readonly #isReady = Promise.withResolvers<void>()
  #keys = ''

  constructor(options: ResolverOptions) {
    this.#options = options
    this.#endpoints = options.endpoints.map(partsOf)
    this.ready = this.#isReady.promise
    for (const { scheme, name } of this.#endpoints) {
      if (scheme === 'srv:') this.#followService(name)
      else this.#followHost(name)
    }
    this.#update()
  }

  /** Why the last lookup of one of the names failed; null when none did. */
  get failed(): FailureName | null {
    return this.#followed().find(({ failed }) => failed !== null)?.failed ?? null
  }

  /** Asks no more, and tells nothing more. */
  stop(): void {
    for (const one of this.#followed()) one.stop()
  }

  #followed(): Followed<unknown>[] {
    return [...this.#services.values(), ...this.#hosts.values()]
  }

  #followService(name: string): void {
    if (this.#services.has(name)) return
    const { resolveSrv = dns.resolveSrv } = this.#options
    const ask = async (): Promise<Target[]> => targetsOf(name, await resolveSrv(name))
    this.#services.set(name, this.#follow(name, ask))
  }

  #followHost(name: string): void {
    if (isIP(name) !== 0 || this.#hosts.has(name)) return
    const { lookup = lookupAll } = this.#options
    const ask = async (): Promise<string[]> => (await lookup(name)).map(({ address }) => address)
    this.#hosts.set(name, this.#follow(name, ask))
  }

  #follow<T>(name: string, ask: () => Promise<readonly T[]>): Followed<T> {
    return follow(ask, this.#options, (error, detail) => {
      if (error !== null) this.#options.onFailure?.(name, error, detail)
      this.#update()
    })
  }

  /** Brings the targets, the hosts that are followed, and the addresses up to what is known now. */
  #update(): void {
    for (const [name, { known }] of this.#services) this.#adopt(name, known)
    this.#forgetHosts()
    const addresses = new Map(this.#endpoints.flatMap((one) => this.#addresses(one)).map((one) => [one.key, one]))
    const keys = [...addresses.keys()].sort().join('\n')
    const changed = keys !== this.#keys
    this.#keys = keys
    if (changed) this.#options.onChange([...addresses.values()])
    if (this.#followed().every(({ answered }) => answered)) this.#isReady.resolve()
  }

  /** Moves a service to new targets once it is known where they are: until then the old are the last known. */
  #adopt(name: string, targets: readonly Target[]): void {
    for (const { host } of targets) this.#followHost(host)
    const answered = targets.every(({ host }) => this.#hosts.get(host)?.answered ?? true)
    if (answered && targets.some(({ host }) => this.#ips(host).length > 0)) this.#targets.set(name, targets)
  }

  /** Follows no longer what was the target of a service, and is no more. */
  #forgetHosts(): void {
    const targets = [...this.#targets.values(), ...[...this.#services.values()].map(({ known }) => known)].flat()
    const needed = new Set([...this.#endpoints.map(({ name }) => name), ...targets.map(({ host }) => host)])
    for (const [name, one] of this.#hosts) {
      // Who is still asked for is dropped with the answer: should it come back, it would be asked for twice at once.
      if (needed.has(name) || one.asking) continue
      one.stop()
      this.#hosts.delete(name)
    }
  }

  #ips(name: string): readonly string[] {
    return isIP(name) === 0 ? (this.#hosts.get(name)?.known ?? []) : [name]
  }

  #addresses({ scheme, name, port, path, origin }: Parts): Address[] {
    const targets = scheme === 'srv:' ? (this.#targets.get(name) ?? []) : [{ host: name, port, origin }]
    return targets.flatMap((target) => this.#ips(target.host).map((ip) => addressOf(target, ip, path)))
  }
}

/** Where one host listens, by name. */
interface Target {
  readonly host: string
  readonly port: number
  readonly origin: string
}

/** What an endpoint consists of. */
interface Parts extends Endpoint {
  readonly scheme: string
  readonly name: string
  readonly port: number
}

function partsOf({ origin, path }: Endpoint): Parts {
  const { protocol, hostname, port } = new URL(origin)
  const name = hostname.replace(/^\[|\]$/g, '')
  return { origin, path, scheme: protocol, name, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}

function addressOf({ host: name, port, origin }: Target, ip: string, path: string): Address {
  const scheme = origin.slice(0, origin.indexOf(':'))
  const key = `${scheme}://${ip.includes(':') ? `[${ip}]` : ip}:${port}${path}${name === ip ? '' : ` ${name}`}`
  return { key, origin, host: ip, port, path }
}

function targetsOf(service: string, records: readonly SrvRecord[]): Target[] {
  const scheme = /^_https\./i.test(service) ? 'https:' : 'http:'
  const lowest = Math.min(...records.map(({ priority }) => priority))
  return records
    .filter(({ priority }) => priority === lowest)
    .flatMap(({ name, port }) => {
      const url = URL.parse(`${scheme}//${name}:${port}`)
      // A record may hold any bytes, and an empty name where there is no service: that would be no origin, or another.
      return url?.hostname === name.toLowerCase() ? [{ host: url.hostname, port, origin: url.origin }] : []
    })
}

/** Without ADDRCONFIG a machine that has no IPv6 would be sent there for every name that has. */
function lookupAll(name: string): Promise<readonly { readonly address: string }[]> {
  return dns.lookup(name, { all: true, hints: ADDRCONFIG })
}

/** What is known of a name that is asked for again and again. */
interface Followed<T> {
  /** The last good answer; nothing before there is one. */
  known: readonly T[]
  failed: FailureName | null
  /** Whether the first question has come to something, if only to no answer in time. */
  answered: boolean
  /** Whether a question is under way. */
  asking: boolean
  stop(): void
}

type Rhythm = Pick<ResolverOptions, 'everyMs' | 'timeoutMs' | 'wheel' | 'random'>

/** Asks at once, and again some time after each answer; tells what each question came to, once that is known. */
function follow<T>(
  ask: () => Promise<readonly T[]>,
  { everyMs, timeoutMs, wheel, random }: Rhythm,
  tell: (failed: FailureName | null, detail: string) => void,
): Followed<T> {
  let stopped = false
  let alarm: Alarm
  const conclude = (failed: FailureName | null, detail: string): void => {
    followed.failed = failed
    followed.answered = true
    tell(failed, detail)
  }
  const take = (answer: readonly T[], error: Error & { code?: string }, late: boolean): void => {
    if (stopped) return
    followed.asking = false
    wheel.clear(alarm)
    alarm = wheel.set(wheel.now() + everyMs * (0.8 + 0.4 * random()), begin)
    if (answer.length > 0) {
      followed.known = answer
      conclude(null, '')
    }
    // That it was late has been told.
    else if (!late) conclude(error.code === dns.TIMEOUT ? 'dns_timeout' : 'dns_error', error.message)
  }
  const begin = (): void => {
    let late = false
    followed.asking = true
    alarm = wheel.set(wheel.now() + timeoutMs, () => {
      late = true
      conclude('dns_timeout', `no answer within ${timeoutMs} ms`)
    })
    ask().then(
      (answer) => take(answer, nothing, late),
      (error: Error) => take([], error, late),
    )
  }
  const stop = (): void => {
    stopped = true
    wheel.clear(alarm)
  }
  const followed: Followed<T> = { known: [], failed: null, answered: false, asking: false, stop }
  begin()
  return followed
}

const nothing = new Error('no address')
