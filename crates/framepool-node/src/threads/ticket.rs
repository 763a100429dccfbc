//! Tickets: `move()`, `share()` and `adopt()` of the facade.

use framepool::threads::ticket::Nonce;
use napi::sys;

use crate::call::{Call, Reply};
use crate::errors::{Code, Fault};
use crate::threads::transferable::{PARKED, Transferable};
use crate::threads::travel;

/// Makes a ticket for the object that the call names, which leaves this isolate: see [`travel::depart`]. Returns its text.
pub(crate) fn make(call: &mut Call<'_>) -> Reply {
    // The steps that may fail come first, before the object leaves.
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
    let object = travel::depart(call)?;
    PARKED.deposit(nonce, call.state.depositor, object);
    // Another isolate may just have closed the pool. It closes first and revokes then, so either it finds this ticket, or this
    // call finds the pool closed.
    PARKED.revoke_if(nonce, Transferable::is_of_closed);
    Ok(Some(value))
}

/// Takes in the object whose ticket the call carries as text. Out: see [`travel::arrive`].
pub(crate) fn adopt(call: &mut Call<'_>) -> Reply {
    /// One more character than a nonce has, so that a longer text is not taken for one, and the zero that Node adds.
    const ROOM: usize = 34;
    // Before the ticket is redeemed: the object would be lost then.
    call.state.tables.make_room()?;
    let (mut text, mut length) = ([0_u16; ROOM], 0);
    // Whole units are read: as bytes, other characters could pass for digits.
    // SAFETY: `argument` is a value of the running call, of which Node checks the type; there is room for `ROOM` units.
    let status =
        unsafe { sys::napi_get_value_string_utf16(call.env, call.argument, text.as_mut_ptr(), ROOM, &raw mut length) };
    let nonce = if status == sys::Status::napi_ok { nonce_of(&text[..length]) } else { None };
    let object = nonce.and_then(|nonce| PARKED.redeem(nonce));
    let no_ticket = "no ticket: it was used or revoked, or comes from elsewhere";
    travel::arrive(call.state, object.ok_or_else(|| Fault::new(Code::TICKET, no_ticket))?)?;
    Ok(None)
}

fn nonce_of(units: &[u16]) -> Option<Nonce> {
    let mut bytes = [0; 33];
    for (byte, unit) in bytes.get_mut(..units.len())?.iter_mut().zip(units) {
        *byte = u8::try_from(*unit).ok()?;
    }
    str::from_utf8(&bytes[..units.len()]).ok()?.parse().ok()
}
