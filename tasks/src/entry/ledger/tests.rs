use super::*;

const TEXT: (&str, TournamentType) = ("t1", TournamentType::Text);

fn transfer(id: &str, coldkey: &str, amount_rao: u64) -> LedgerEvent {
    LedgerEvent::TransferIn {
        id: id.to_owned(),
        coldkey: coldkey.to_owned(),
        amount_rao,
    }
}

#[test]
fn a_fee_is_taken_once_and_only_from_what_is_there() {
    let mut ledger = Ledger::new();
    assert_eq!(
        ledger.apply(transfer("x", "k", 699_999_999)),
        Ok(Applied::New)
    );
    let fee = ledger.fee(TEXT, "k", "k", 700_000_000);
    let error = ledger.apply(fee.clone()).unwrap_err();
    assert_eq!(
        error,
        LedgerError::Insufficient {
            coldkey: "k".to_owned(),
            balance_rao: 699_999_999,
            fee_rao: 700_000_000
        }
    );
    assert_eq!(error.owner(), Owner::Submission);
    assert_eq!(ledger.balance_rao("k"), 699_999_999);
    ledger.apply(transfer("y", "k", 1)).unwrap();
    assert_eq!(ledger.apply(fee.clone()), Ok(Applied::New));
    for _ in 0..3 {
        assert_eq!(ledger.apply(fee.clone()), Ok(Applied::Already));
        assert_eq!(ledger.fee(TEXT, "k", "k", 700_000_000), fee);
    }
    assert_eq!(
        (ledger.balance_rao("k"), ledger.paid_rao("t1", "k")),
        (0, 700_000_000)
    );
    assert_eq!(ledger.balance_rao("nobody"), 0);
}

#[test]
fn a_refund_gives_back_what_is_left_and_then_a_fee_is_a_new_one() {
    let mut ledger = Ledger::new();
    ledger.apply(transfer("x", "k", 10)).unwrap();
    let fee = ledger.fee(TEXT, "k", "k", 4);
    ledger.apply(fee.clone()).unwrap();
    let refunds = ledger.refunds("t1");
    assert_eq!(refunds.len(), 1);
    for _ in 0..2 {
        for refund in &refunds {
            ledger.apply(refund.clone()).unwrap();
        }
        assert_eq!(
            (ledger.balance_rao("k"), ledger.paid_rao("t1", "k")),
            (10, 0)
        );
    }
    assert_eq!(ledger.refunds("t1"), []);
    let again = ledger.fee(TEXT, "k", "k", 4);
    assert_ne!(again.id(), fee.id());
    assert_eq!(ledger.apply(again), Ok(Applied::New));
    assert_eq!(ledger.balance_rao("k"), 6);
    let LedgerEvent::Refund { id, amount_rao, .. } = ledger.refunds("t1").remove(0) else {
        panic!("a refund");
    };
    let too_much = LedgerEvent::Refund {
        id,
        tournament_id: "t1".to_owned(),
        coldkey: "k".to_owned(),
        amount_rao: amount_rao + 1,
    };
    assert!(matches!(
        ledger.apply(too_much),
        Err(LedgerError::Refund { .. })
    ));
}

#[test]
fn an_event_that_changed_is_refused_and_nothing_overflows() {
    let mut ledger = Ledger::new();
    ledger.apply(transfer("x", "k", u64::MAX - 1)).unwrap();
    let conflict = ledger.apply(transfer("x", "k", 5)).unwrap_err();
    assert_eq!(conflict, LedgerError::Conflict { id: "x".to_owned() });
    let overflow = ledger.apply(transfer("y", "k", 2)).unwrap_err();
    assert_eq!(
        overflow,
        LedgerError::Overflow {
            coldkey: "k".to_owned()
        }
    );
    // What was paid still counts: it may come back.
    let fee = ledger.fee(TEXT, "k", "k", 100);
    ledger.apply(fee).unwrap();
    assert!(ledger.apply(transfer("y", "k", 2)).is_err());
    assert_eq!(ledger.apply(transfer("y", "k", 1)), Ok(Applied::New));
    ledger.apply(ledger.refunds("t1").remove(0)).unwrap();
    assert_eq!(ledger.balance_rao("k"), u64::MAX);
    assert_eq!(ledger.events().len(), 4);
}

#[test]
fn written_events_replay_to_the_same_ledger_and_no_rao_appears_or_is_lost() {
    let mut ledger = Ledger::new();
    let mut seed = 56_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let mut came_in = 0;
    for step in 0..2_000 {
        let coldkey = format!("k{}", next(7));
        let tournament = format!("t{}", next(3));
        let event = match next(4) {
            0 => transfer(&format!("x{}", next(900)), &coldkey, 1 + next(1_000)),
            1 | 2 => {
                let named = (tournament.as_str(), TournamentType::Image);
                ledger.fee(named, &coldkey, &format!("h{}", next(3)), 1 + next(400))
            }
            _ => match ledger.refunds(&tournament).pop() {
                Some(refund) => refund,
                None => continue,
            },
        };
        let before = ledger.clone();
        let credit = match &event {
            LedgerEvent::TransferIn { amount_rao, .. } => *amount_rao,
            _ => 0,
        };
        match ledger.apply(event) {
            Ok(Applied::New) => came_in += credit,
            Ok(Applied::Already) | Err(_) => assert_eq!(ledger, before, "step {step}"),
        }
        let balances: u64 = (0..7).map(|k| ledger.balance_rao(&format!("k{k}"))).sum();
        let paid: u64 = (0..3)
            .flat_map(|t| (0..7).map(move |k| (format!("t{t}"), format!("k{k}"))))
            .map(|(t, k)| ledger.paid_rao(&t, &k))
            .sum();
        assert_eq!(balances + paid, came_in, "step {step}");
    }
    let written = serde_json::to_string(ledger.events()).unwrap();
    let read: Vec<LedgerEvent> = serde_json::from_str(&written).unwrap();
    assert_eq!(Ledger::replay(read), Ok(ledger));
    let extra = r#"{"kind":"transfer_in","id":"x","coldkey":"k","amount_rao":1,"more":2}"#;
    assert!(serde_json::from_str::<LedgerEvent>(extra).is_err());
}
