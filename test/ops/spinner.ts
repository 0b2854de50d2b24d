import { parentPort, workerData } from 'node:worker_threads'
import { measureDelays } from '../../src/telemetry/delays.ts'

// A loop that answers each message, and on `spin` does nothing else until it is told to stop, in shared memory.
const stop = new Int32Array(workerData as SharedArrayBuffer)
parentPort?.postMessage(measureDelays().delays)
parentPort?.on('message', (what: string) => {
  parentPort?.postMessage(what)
  if (what !== 'spin') return
  while (Atomics.load(stop, 0) === 0) continue
  Atomics.store(stop, 0, 0)
})
