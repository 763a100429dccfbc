// Sockets for hostile calls: connected, unconnected, ended, forged.
import { once } from 'node:events'
import { connect, createServer, Socket } from 'node:net'

export class Sockets {
  #random
  #open = new Set()
  #server = createServer({ allowHalfOpen: true }, (socket) => {
    this.#keep(socket).write(new Uint8Array(this.#random.below(5000)))
    if (this.#random.oneIn(2)) socket.pipe(socket)
    else socket.resume().end()
  })

  constructor(random) {
    this.#random = random
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  any() {
    const random = this.#random
    switch (random.below(8)) {
      case 0:
        return this.#keep(connect(this.#server.address().port, '127.0.0.1'))
      case 1:
        return this.#keep(new Socket()).destroy()
      case 2:
        return this.#keep(new Socket()).end()
      case 3:
        return this.#keep(new Socket()).setEncoding('utf8')
      case 4:
        return Object.create(random.oneIn(2) ? Socket.prototype : this.#kept())
      case 5:
        return this.#kept()
      default:
        return this.#keep(new Socket())
    }
  }

  /** Destroys all sockets, so that memory lent to them comes back. */
  renew() {
    for (const socket of this.#open) socket.destroy()
    this.#open.clear()
  }

  release() {
    this.renew()
    this.#server.close()
  }

  #kept() {
    return this.#open.size > 0 ? this.#random.pick([...this.#open]) : this.#keep(new Socket())
  }

  #keep(socket) {
    this.#open.add(socket)
    // The user of the socket hears of the error.
    return socket.on('error', () => {})
  }
}
