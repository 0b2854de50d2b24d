/**
 * Runs the k6 script under Node, which shows that its types are all that Node need erase and what it asks of k6: the
 * modules of k6 are replaced by ones that only note what they are told. That k6 itself takes it needs k6.
 */
import { registerHooks } from 'node:module'

const sources: Readonly<Record<string, string>> = {
  'k6/http': `
    const respond = (url) => globalThis.respond(url)
    export default {
      request: (method, url, body, params) => (sent.push({ method, url, body, params }), respond(url)),
      get: (url) => respond(url),
    }`,
  'k6/metrics': `
    const metric = class { constructor(name) { this.name = name } add(value) { (metrics[this.name] ??= []).push(value) } }
    export const Counter = metric, Rate = metric, Trend = metric`,
}

registerHooks({
  resolve: (specifier, context, next) =>
    specifier in sources ? { url: `k6:${specifier}`, shortCircuit: true } : next(specifier, context),
  load(url, context, next) {
    const source = sources[url.slice('k6:'.length)]
    return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true }
  },
})

const noted = { sent: [] as object[], metrics: {} as Record<string, number[]> }
let scrapes = 0
const scrape = () => `oneloop_missing_total ${++scrapes * 5}
nodejs_eventloop_time_seconds_total{nodejs_eventloop_state="active"} ${scrapes}
nodejs_eventloop_time_seconds_total{nodejs_eventloop_state="idle"} ${scrapes * 3}
`
Object.assign(globalThis, noted, {
  __ENV: process.env,
  respond: (url: string) =>
    url.endsWith('/metrics')
      ? { body: scrape() }
      : {
          status: url.endsWith('/busy') ? 503 : 200,
          timings: { duration: 5 },
          headers: url.endsWith('/part') ? { 'Oneloop-Missing': 'a' } : {},
        },
})

const { ask, watch, options } = await import('../../loadtest/k6/run.ts')
for (let i = 0; i < 300; i++) ask()
for (let i = 0; i < 3; i++) watch()
console.log(JSON.stringify({ ...noted, options }))
