//! A relay that moves bytes and knows no protocol: what no Sv2 relay on these system calls can beat.
//!
//! One thread, edge-triggered: one read and one write for what comes. It cannot wait for a slow reader, so it ends when a socket
//! is full, which does not happen in a closed loop.
//!
//! Usage: `pipe <upstream>`. It prints its port when it listens.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

fn main() -> Result<(), Box<dyn Error>> {
    let upstream: SocketAddr = std::env::args().nth(1).ok_or("usage: pipe <upstream>")?.parse()?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("{}", listener.local_addr()?.port());
    let mut events = Events::with_capacity(1024);
    // A link's sockets stand side by side.
    let mut sockets: Vec<TcpStream> = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((miner, _)) = listener.accept() {
                    for mut socket in [miner, connected(upstream)?] {
                        socket.set_nodelay(true)?;
                        poll.registry().register(&mut socket, Token(sockets.len()), Interest::READABLE)?;
                        sockets.push(socket);
                    }
                }
            } else {
                let from = event.token().0;
                while let Ok(count @ 1..) = sockets[from].read(&mut chunk) {
                    sockets[from ^ 1].write_all(&chunk[..count])?;
                    // Bytes after a short read are another event.
                    if count < chunk.len() {
                        break;
                    }
                }
            }
        }
    }
}

/// Connects, and waits for it: a connection to this machine is there at once.
fn connected(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = std::net::TcpStream::connect(to)?;
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}
