//! Tickets: `move()`, `share()` and `adopt()` of the facade.

use std::sync::LazyLock;

use framepool::ticket::{Nonce, Registry};
use napi::sys;

use crate::boundary::{Call, Reply};
use crate::errors::{Code, Fault};
use crate::transferable::{self, Transferable};

/// What has left one isolate of this process and not yet arrived in another.
pub(crate) static PARKED: LazyLock<Registry<Transferable>> = LazyLock::new(Registry::default);

/// A ticket for the object that the call names, which leaves this isolate: see `transferable::depart`. Gives its text.
pub(crate) fn make(call: &mut Call<'_>) -> Reply {
    // First what may fail, so that nothing has left then.
    let nonce = Nonce::random()?;
    let text = nonce.to_string();
    let mut value = std::ptr::null_mut();
    // SAFETY: `env` is that of the running call, and the text is valid for its length.
    let status = unsafe {
        sys::napi_create_string_latin1(call.env, text.as_ptr().cast(), text.len().cast_signed(), &raw mut value)
    };
    if status != sys::Status::napi_ok {
        return Err(Fault::internal("a string could not be made"));
    }
    let object = transferable::depart(call)?;
    PARKED.deposit(nonce, call.state.sender, object);
    // Another isolate may just have closed the pool: it closes first and revokes then, so either it finds this or we it.
    PARKED.revoke_if(nonce, Transferable::is_of_closed);
    Ok(Some(value))
}

/// Takes in what the ticket stands for whose text the call carries. Out: see `transferable::arrive`.
pub(crate) fn adopt(call: &mut Call<'_>) -> Reply {
    /// One more than a nonce has, so that a longer text is not taken for one; and Node adds a zero.
    const ROOM: usize = 34;
    // Before it is redeemed, since it would be lost then.
    transferable::make_room(call.state)?;
    let (mut text, mut length) = ([0_u16; ROOM], 0);
    // All of each unit: read as bytes, other characters could pass for digits.
    // SAFETY: `argument` is a value of the running call, of which Node checks the type; there is room for `ROOM` units.
    let status =
        unsafe { sys::napi_get_value_string_utf16(call.env, call.argument, text.as_mut_ptr(), ROOM, &raw mut length) };
    let nonce = if status == sys::Status::napi_ok { nonce_of(&text[..length]) } else { None };
    let object = nonce.and_then(|nonce| PARKED.redeem(nonce));
    let no_ticket = "no ticket: it was used or revoked, or comes from elsewhere";
    transferable::arrive(call.state, object.ok_or_else(|| Fault::new(Code::TICKET, no_ticket))?)?;
    Ok(None)
}

fn nonce_of(units: &[u16]) -> Option<Nonce> {
    let mut bytes = [0; 33];
    for (byte, unit) in bytes.get_mut(..units.len())?.iter_mut().zip(units) {
        *byte = u8::try_from(*unit).ok()?;
    }
    str::from_utf8(&bytes[..units.len()]).ok()?.parse().ok()
}
