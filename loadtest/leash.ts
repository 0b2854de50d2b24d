// Preloaded into the demo's gateway: a gateway whose demo was killed would keep the port and serve without upstreams.
if (process.channel) {
  process.on('disconnect', () => process.exit(1))
  process.channel.unref() // the leash alone must not keep a gateway alive that has drained
}
