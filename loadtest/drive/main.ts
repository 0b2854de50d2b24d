/** A driver in a process of its own: plays a load as it is told, and tells what it has seen, second by second. */
import { seeded } from '../upstreams/latency.ts'
import { type Answer, client } from './client.ts'
import { record } from './histogram.ts'
import { type Ask, type Play, type Second, emptySecond } from './play.ts'
import { arrivals } from './schedule.ts'

// What is under way is bounded as k6's VUs are: a gateway that answers nothing must not fill the driver's memory.
const mostUnderWay = 20_000

process.on('disconnect', () => process.exit(0))
process.on('message', (play: Play) => void run(play).then((seconds) => process.send?.(seconds)))
process.send?.('ready')

/** Plays a load to its end, and waits for the answers. */
async function run(play: Play): Promise<Second[]> {
  const { send, close } = client(play)
  const draw = drawer(play.mix, seeded(play.seed))
  const seconds: Second[] = []
  const at = (ms: number): Second => {
    const second = Math.floor(ms / 1000)
    while (seconds.length <= second) seconds.push(emptySecond())
    return seconds[second]!
  }
  const began = performance.now()
  const now = (): number => performance.now() - began
  let underWay = 0
  const ask = (dueMs: number): void => {
    const second = at(dueMs)
    second.offered++
    second.lateMs = Math.max(second.lateMs, now() - dueMs)
    if (underWay >= mostUnderWay) return void second.dropped++
    underWay++
    send(draw(), (answer) => {
      underWay--
      const endedMs = now()
      at(endedMs).answered += answer.error === null ? 1 : 0
      take(second, answer, endedMs - dueMs)
    })
  }
  await open(arrivals(play.phases), now, ask)
  while (underWay > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await close()
  return seconds
}

/** Asks whenever it is time to. */
function open(due: Iterator<number, void>, now: () => number, ask: (dueMs: number) => void): Promise<void> {
  return new Promise((resolve) => {
    let next = due.next()
    const send = (): void => {
      for (; next.done !== true; next = due.next()) {
        const leftMs = next.value - now()
        // A timer may be a whole millisecond late: what is due within less goes out now.
        if (leftMs > 0.5) return void setTimeout(send, leftMs)
        ask(next.value)
      }
      resolve()
    }
    send()
  })
}

function take(second: Second, { status, partial, error }: Answer, tookMs: number): void {
  if (error === null) record(second.latencies, tookMs)
  if (error === null && status >= 200 && status < 300) {
    second.good++
    if (tookMs <= 1000) second.prompt++
    if (partial) second.partial++
  } else {
    const what = error ?? String(status)
    second.failed[what] = (second.failed[what] ?? 0) + 1
  }
}

/** Draws requests of a mix by their weights. */
function drawer(mix: readonly Ask[], random: () => number): () => Ask {
  const total = mix.reduce((sum, { weight }) => sum + weight, 0)
  return () => {
    let left = random() * total
    return mix.find(({ weight }) => (left -= weight) < 0) ?? mix[0]!
  }
}
