//! An Sv2 echo server on the reference implementation, as a rival of framepool's.
//!
//! One task for each connection reads a frame and writes it back, on tokio's single-threaded runtime. This is the least
//! work that the stack needs: its applications also put channels between the two.
//!
//! Usage: `sv2-echo-server <public key> <secret key>`. It prints its port when it listens.

use std::env;
use std::error::Error;

use stratum_apps::key_utils::{Secp256k1PublicKey, Secp256k1SecretKey};
use stratum_apps::network_helpers::accept_noise_connection;
use tokio::net::{TcpListener, TcpStream};

const CERTIFICATE_VALIDITY_SECONDS: u64 = 3600;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut key = || arguments.next().ok_or("usage: sv2-echo-server <public key> <secret key>");
    let (public_key, secret_key) = (key()?, key()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        // Frames are small and answered one at a time, so Nagle's algorithm would delay them.
        stream.set_nodelay(true)?;
        let (public_key, secret_key) = (public_key.parse()?, secret_key.parse()?);
        tokio::spawn(async move {
            if let Err(error) = echo(stream, public_key, secret_key).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn echo(
    stream: TcpStream,
    public_key: Secp256k1PublicKey,
    secret_key: Secp256k1SecretKey,
) -> Result<(), Box<dyn Error>> {
    let stream = accept_noise_connection(stream, public_key, secret_key, CERTIFICATE_VALIDITY_SECONDS)
        .await
        .map_err(|error| error.to_string())?;
    let (mut reader, mut writer) = stream.into_split();
    // The task ends with its connection.
    while let Ok(frame) = reader.read_frame().await {
        writer.write_frame(frame).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
