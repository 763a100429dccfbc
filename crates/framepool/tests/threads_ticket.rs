//! Tickets: each is good for one object, once, until it is revoked.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use framepool::budget::BudgetPool;
use framepool::threads::ticket::{Depositor, NoNonce, Nonce, Registry};

#[test]
fn nonces_are_unlike_and_have_one_text_each() {
    let nonces: Vec<_> = (0..1000).map(|_| Nonce::random().unwrap()).collect();
    assert_eq!(nonces.iter().collect::<HashSet<_>>().len(), nonces.len());
    for nonce in nonces {
        let text = nonce.to_string();
        assert_eq!(text.len(), 32);
        assert_eq!(text.parse(), Ok(nonce));
        let others = [
            String::new(),
            text[1..].to_owned(),
            format!("{text}0"),
            format!("0{text}"),
            format!("+{}", &text[1..]),
            format!(" {}", &text[1..]),
            format!("g{}", &text[1..]),
            format!("A{}", &text[1..]),
            format!("ä{}", &text[2..]),
        ];
        for other in others {
            assert_eq!(other.parse::<Nonce>(), Err(NoNonce), "{other}");
        }
    }
}

#[test]
fn an_object_that_is_left_can_be_taken_once() {
    let registry = Registry::default();
    let (nonce, other) = (Nonce::random().unwrap(), Nonce::random().unwrap());
    registry.deposit(nonce, Depositor::new(), 7);
    assert_eq!(registry.redeem(other), None);
    assert_eq!(registry.len(), 1);
    assert_eq!(registry.redeem(nonce), Some(7));
    assert_eq!(registry.redeem(nonce), None);
    assert!(registry.is_empty());
}

#[test]
fn a_ticket_goes_with_its_sender_or_with_what_it_belongs_to() {
    let registry = Registry::default();
    let (leaving, staying) = (Depositor::new(), Depositor::new());
    let deposit = |depositor, item| {
        let nonce = Nonce::random().unwrap();
        registry.deposit(nonce, depositor, item);
        nonce
    };
    let [first, second] = [deposit(leaving, 1), deposit(leaving, 2)];
    let [third, fourth] = [deposit(staying, 3), deposit(staying, 4)];
    assert_eq!(registry.redeem(second), Some(2));
    registry.revoke_depositor(leaving);
    assert_eq!(registry.redeem(first), None);
    registry.revoke(|&item| item == 3);
    assert_eq!(registry.redeem(third), None);
    registry.revoke_if(fourth, |&item| item == 3);
    registry.revoke_if(third, |_| true);
    assert_eq!(registry.redeem(fourth), Some(4));
    let fifth = deposit(staying, 5);
    registry.revoke_if(fifth, |&item| item == 5);
    assert_eq!(registry.redeem(fifth), None);
}

/// A revoked object goes back to its pool, which may pass it on to code that uses the registry at once.
#[test]
fn revoking_drops_with_nothing_locked() {
    let registry = Arc::new(Registry::default());
    let pool = BudgetPool::new(8, 16).unwrap();
    let nonce = Nonce::random().unwrap();
    let depositor = Depositor::new();
    registry.deposit(nonce, depositor, pool.try_allocate(2, false).unwrap());
    let next = Nonce::random().unwrap();
    let shelf = Arc::clone(&registry);
    let park = move |granted: Result<framepool::budget::Reservation, _>| {
        shelf.deposit(next, Depositor::new(), granted.unwrap().allocate(false).ok());
    };
    pool.enqueue(1, park).unwrap();
    registry.revoke_depositor(depositor);
    assert_eq!(registry.redeem(next).unwrap().unwrap().count(), 1);
    assert_eq!(pool.stats().allocated_bytes, 0);
}

#[test]
fn one_of_many_threads_that_try_has_it() {
    let registry = Registry::default();
    for _ in 0..200 {
        let nonce = Nonce::random().unwrap();
        registry.deposit(nonce, Depositor::new(), ());
        let redeemed: usize = thread::scope(|scope| {
            let tries: Vec<_> = (0..4).map(|_| scope.spawn(|| registry.redeem(nonce).iter().count())).collect();
            tries.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(redeemed, 1);
    }
}
