// An echo server of length-prefixed frames, and one client.
import { connect, createServer } from 'node:net'
import { FrameReader, FrameWriter } from 'framepool'

const options = { maxFrameLength: 65_536 }
const server = createServer((socket) => {
  const writer = FrameWriter.lengthDelimited(socket, options)
  const reading = FrameReader.lengthDelimited(options).attach(
    socket,
    (batch) => writer.forward(batch) || writer.drained(),
  )
  reading.then(() => writer.end()).catch(({ message }) => console.error(message))
}).listen(0, async () => {
  const socket = connect(server.address().port)
  FrameWriter.lengthDelimited(socket, options).write(Buffer.from('Ciao, mundo!'))
  await FrameReader.lengthDelimited(options).attach(socket, ([frame]) => {
    console.log(Buffer.from(frame).toString())
    socket.end()
  })
  server.close()
})
