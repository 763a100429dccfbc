// A server of a line protocol, one JSON request a line, as Stratum V1 has it: `node examples/line-server.js 8080`. Without a port it asks itself.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { FrameReader, FrameWriter } from 'framepool'

const options = { maxFrameLength: 16_384 } // The delimiter is a line feed.

function answer(line) {
  const { id, method, params } = JSON.parse(Buffer.from(line).toString())
  if (method === 'mining.subscribe') return { id, result: [[['mining.notify', '1']], 'abcd', 4], error: null }
  if (method === 'mining.authorize') return { id, result: params[0] !== '', error: null }
  return { id, result: null, error: [20, `no method ${method}`, null] }
}

const server = createServer(async (socket) => {
  const writer = FrameWriter.delimited(socket, options)
  const reader = FrameReader.delimited(options)
  try {
    await reader.attach(
      socket,
      (lines) => {
        for (const line of lines) writer.write(Buffer.from(JSON.stringify(answer(line))))
        return writer.drained() // Reads on when the client has read its answers.
      },
      { idleTimeoutMs: 60_000 },
    )
    await writer.end()
  } catch (error) {
    console.error(`a client ended: ${error.message}`)
  }
})
server.listen(Number(process.argv[2] ?? 0))
await once(server, 'listening')

if (process.argv[2] === undefined) {
  const socket = connect(server.address().port)
  socket.write('{"id":1,"method":"mining.subscribe","params":[]}\n{"id":2,"method":"mining.authorize","params":["al')
  socket.write('ice",""]}\n{"id":3,"method":"mining.dance","params":[]}\n')
  socket.end()
  await FrameReader.delimited(options).attach(socket, (lines) => {
    for (const line of lines) console.log(Buffer.from(line).toString())
  })
  server.close()
}
