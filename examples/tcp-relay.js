// A TCP relay: `node examples/tcp-relay.js 8080 example.org:80`. Without arguments it relays a greeting to itself and back.
import { connect, createServer } from 'node:net'
import { relaySockets } from 'framepool'

function relay(port, target) {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    relaySockets(client, connect(target), { idleTimeoutMs: 60_000 }).then(
      ({ aToB, bToA }) => console.log(`${aToB} bytes there, ${bToA} bytes back`),
      (error) => console.error(error.message),
    )
  })
  return new Promise((resolve) => server.listen(port, () => resolve(server)))
}

const [port, target] = process.argv.slice(2)
if (target) {
  const [host, targetPort] = target.split(':')
  await relay(Number(port), { host, port: Number(targetPort) })
} else {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0)
  const server = await relay(0, { port: echo.address().port })
  const client = connect(server.address().port)
  client.end('Ciao, mundo!')
  for await (const chunk of client) console.log(`the echo: ${chunk}`)
  for (const end of [server, echo]) end.close()
}
