//! An Sv2 relay on the reference implementation, as a rival of framepool's.
//!
//! Two tasks for each miner read frames from one side and write them to the other, on tokio's single-threaded runtime. This
//! is the least work that the stack needs: its applications also put channels between the two.
//!
//! Usage: `reference <upstream> <public key> <secret key>`. The upstream has the same authority key. It prints its port when it
//! listens.

use std::env;
use std::error::Error;
use std::net::SocketAddr;

use stratum_apps::key_utils::{Secp256k1PublicKey, Secp256k1SecretKey};
use stratum_apps::network_helpers::noise_stream::{NoiseTcpReadHalf, NoiseTcpWriteHalf};
use stratum_apps::network_helpers::{accept_noise_connection, connect_with_noise};
use tokio::net::{TcpListener, TcpStream};

const CERTIFICATE_VALIDITY_SECONDS: u64 = 3600;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: reference <upstream> <public key> <secret key>");
    let (upstream, public_key, secret_key) = (argument()?.parse()?, argument()?, argument()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        let (public_key, secret_key) = (public_key.parse()?, secret_key.parse()?);
        tokio::spawn(async move {
            if let Err(error) = relay(stream, upstream, public_key, secret_key).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn relay(
    miner: TcpStream,
    upstream: SocketAddr,
    public_key: Secp256k1PublicKey,
    secret_key: Secp256k1SecretKey,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Debug| format!("{error:?}");
    // Frames are small, so Nagle's algorithm would delay them.
    miner.set_nodelay(true).map_err(|error| text(&error))?;
    let miner = accept_noise_connection(miner, public_key, secret_key, CERTIFICATE_VALIDITY_SECONDS)
        .await
        .map_err(|error| text(&error))?;
    let pool = TcpStream::connect(upstream).await.map_err(|error| text(&error))?;
    pool.set_nodelay(true).map_err(|error| text(&error))?;
    let pool = connect_with_noise(pool, Some(public_key)).await.map_err(|error| text(&error))?;
    let (miner_reader, miner_writer) = miner.into_split();
    let (pool_reader, pool_writer) = pool.into_split();
    tokio::spawn(forward(miner_reader, pool_writer));
    tokio::spawn(forward(pool_reader, miner_writer));
    Ok(())
}

/// Forwards frames until one of the connections ends.
async fn forward(mut from: NoiseTcpReadHalf, mut to: NoiseTcpWriteHalf) {
    while let Ok(frame) = from.read_frame().await {
        if to.write_frame(frame).await.is_err() {
            break;
        }
    }
}
