#!/usr/bin/env node
// In what every Node understands: one that is too old says so instead of stumbling over syntax.
const needed = 26
if (Number(process.versions.node.split('.')[0]) < needed) {
  process.stderr.write(`oneloop: needs Node ${needed} or newer; this is ${process.version}\n`)
  process.exitCode = 1
} else {
  void import('../dist/main.js')
}
