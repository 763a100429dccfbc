// A proxy of length-prefixed frames that passes batches on as they came: `node examples/framed-proxy.js 8080 host 9090`. It drops frames whose
// first byte is 0. Without arguments it stands between itself and an echo.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { FrameReader, FrameWriter } from 'framepool'

const options = { maxFrameLength: 65_536 }

/** Passes on what comes from one socket to the other, without a copy of any frame. */
async function pass(from, to) {
  const writer = FrameWriter.lengthDelimited(to, options)
  await FrameReader.lengthDelimited(options).attach(from, (batch) => {
    let first = 0
    for (let index = 0; index < batch.length; index++) {
      if (batch.payload(index)[0] !== 0) continue
      writer.forward(batch, first, index)
      first = index + 1
    }
    return writer.forward(batch, first) ? undefined : writer.drained()
  })
  await writer.end()
}

function proxy(port, target) {
  const server = createServer({ allowHalfOpen: true }, async (client) => {
    const upstream = connect(target)
    try {
      await Promise.all([pass(client, upstream), pass(upstream, client)])
    } catch (error) {
      console.error(`a connection ended: ${error.message}`)
      for (const socket of [client, upstream]) socket.destroy()
    }
  })
  return once(server.listen(port), 'listening').then(() => server)
}

const [port, host, targetPort] = process.argv.slice(2)
if (targetPort) {
  await proxy(Number(port), { host, port: Number(targetPort) })
} else {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0)
  const server = await proxy(0, { port: echo.address().port })
  const socket = connect(server.address().port)
  const writer = FrameWriter.lengthDelimited(socket, options)
  for (const text of ['one', '\0two', 'three']) writer.write(Buffer.from(text))
  const back = FrameReader.lengthDelimited(options).attach(socket, (batch) => {
    for (const bytes of batch) console.log(Buffer.from(bytes).toString())
  })
  await writer.end()
  await back
  for (const end of [server, echo]) end.close()
}
