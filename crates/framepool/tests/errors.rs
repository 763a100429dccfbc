//! Every error states its code of the public contract, and only errors of the system give what the system said.

use framepool::buddy::{self, BLOCK_SIZE};
use framepool::budget::{BudgetError, Closed};
use framepool::ring::{InvalidCount, RingError};
use framepool::slot::{OutOfMemory, OutOfRange};
use framepool::sv2::{self, CertificateFault};
use framepool::threads::ticket::NoNonce;
use framepool::{Coded, SystemError};

fn refusal() -> SystemError {
    SystemError { syscall: "mmap", errno: 12, message: "mmap: no memory".into(), path: None }
}

#[test]
fn codes() {
    let errors: [(&dyn Coded, &str); 32] = [
        (&OutOfMemory { bytes: 1 }, "ERR_NO_MEMORY"),
        (&OutOfRange { value: 2, limit: 1 }, "ERR_OUT_OF_RANGE"),
        (&RingError::Size(3), "ERR_OUT_OF_RANGE"),
        (&RingError::Align(3), "ERR_OUT_OF_RANGE"),
        (&RingError::NoMemory, "ERR_NO_MEMORY"),
        (&InvalidCount { count: 2, available: 1 }, "ERR_INVALID_COUNT"),
        (&Closed, "ERR_CLOSED"),
        (&BudgetError::BufferSize(3), "ERR_OUT_OF_RANGE"),
        (&BudgetError::MaxMemory(3), "ERR_OUT_OF_RANGE"),
        (&BudgetError::Count(0), "ERR_OUT_OF_RANGE"),
        (&BudgetError::Closed, "ERR_CLOSED"),
        (&BudgetError::TimedOut, "ERR_TIMEOUT"),
        (&BudgetError::NoMemory { bytes: 1 }, "ERR_NO_MEMORY"),
        (&buddy::Error::Size(0), "ERR_OUT_OF_RANGE"),
        (&buddy::Error::Limit { max_memory: BLOCK_SIZE }, "ERR_MEMORY_LIMIT"),
        (&buddy::Error::Closed, "ERR_CLOSED"),
        (&buddy::Error::NoMemory, "ERR_NO_MEMORY"),
        (&buddy::Error::System(refusal()), "ERR_SYSTEM"),
        (&refusal(), "ERR_SYSTEM"),
        (&NoNonce, "ERR_TICKET"),
        (&sv2::Error::Handshake, "ERR_SV2_HANDSHAKE"),
        (&sv2::Error::Certificate(CertificateFault::Signature), "ERR_SV2_CERTIFICATE"),
        (&sv2::Error::Aead, "ERR_SV2_AEAD"),
        (&sv2::Error::FrameTooLarge { length: 2, max: 1 }, "ERR_SV2_FRAME_TOO_LARGE"),
        (&sv2::Error::State, "ERR_SV2_STATE"),
        (&sv2::Error::Key("the authority public key is empty".into()), "ERR_SV2_KEY"),
        (&sv2::Error::Busy, "ERR_BUSY"),
        (&sv2::Error::Internal, "ERR_INTERNAL"),
        (&sv2::Error::NoMemory, "ERR_NO_MEMORY"),
        (&sv2::Error::MemoryLimit { needed: 2, limit: 1 }, "ERR_MEMORY_LIMIT"),
        (&sv2::Error::OutputSize(3), "ERR_OUT_OF_RANGE"),
        (&"x".parse::<framepool::threads::ticket::Nonce>().unwrap_err(), "ERR_TICKET"),
    ];
    for (error, code) in errors {
        assert_eq!(error.code(), code, "{error:?}");
        assert!(!error.to_string().is_empty(), "{error:?}");
        assert_eq!(error.system(), (code == "ERR_SYSTEM").then(refusal).as_ref(), "{error:?}");
    }
}
