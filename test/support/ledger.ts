import { noAccounts, unwatched } from '../../src/call/work.ts'
import { Instruments } from '../../src/telemetry/instruments.ts'
import { Ledger } from '../../src/telemetry/ledger.ts'

/** For a test in which nobody keeps account. */
export const noLedger = {
  ledger: new Ledger(new Instruments([]), false),
  unasked: { work: unwatched, step: '', upstream: '', accounts: noAccounts, sent: 0 },
}
