//! A flow whose work is done by this program: it serves three topics while the case runs.

use std::error::Error;
use std::time::Duration;

use statewright::flow::{Failure, Status, WorkItem, WorkKind};
use statewright::{Engine, Poll, Value, value};

/// Items that are not heard of for so long are offered again.
const LEASE: Duration = Duration::from_secs(30);

fn main() -> Result<(), Box<dyn Error>> {
    let engine = statewright_examples::open()?;
    let flow = engine.deploy(include_str!("../../../flows/order.yaml"), None)?;
    let worker = engine.clone();
    let worker = std::thread::spawn(move || serve(&worker));

    let case = engine.start(&flow.name, Value::NULL, None)?;
    let ended = engine.wait(&case, None)?;
    match ended.result {
        Some(result) if ended.status == Status::Completed => println!("{}", sorted(&result)?),
        _ => {
            return Err(format!("the order {}: {}", ended.status, Value::from(ended.error)).into());
        }
    }

    // Closing ends the worker's poll.
    engine.close()?;
    worker.join().map_err(|_| "the worker panicked")??;
    Ok(())
}

/// Takes work and does it, until the engine closes.
fn serve(engine: &Engine) -> statewright::Result<()> {
    let poll = Poll::topic("pricing")
        .and_topic("stock")
        .and_topic("payment");
    let poll = poll.worker("order.rs").max(10).lease(LEASE);
    loop {
        let items = match engine.poll(poll.clone(), None) {
            Err(statewright::Error::Closed) => return Ok(()),
            items => items?,
        };
        for item in items {
            // For the sake of showing it: work that takes longer than its lease does this from time to time.
            engine.heartbeat(&item.token, LEASE)?;
            match work(&item) {
                Ok(result) => engine.complete(&item.token, result)?,
                Err(failure) => engine.fail(&item.token, &failure)?,
            }
        }
    }
}

fn work(item: &WorkItem) -> Result<Value, Failure> {
    match &item.work {
        WorkKind::Host { topic } if topic == "pricing" => item.input.items().map(price).collect(),
        WorkKind::Host { topic } if topic == "stock" => {
            Ok(value!({ "id": (format!("R-{}", item.input.len())) }))
        }
        _ => charge(item),
    }
}

/// A line with its price.
fn price(mut line: Value) -> Result<Value, Failure> {
    let sku = line.get("sku").unwrap_or_default();
    let cents = match sku.as_str() {
        Some("pen") => 120,
        Some("book") => 1550,
        // Trying again would not help: the task fails for good.
        _ => return Err(Failure::new("price", format!("no price for {sku}")).for_good()),
    };
    let added = line.insert("cents", Value::from(cents));
    added.map_err(|e| Failure::new("line", e.to_string()).for_good())?;
    Ok(line)
}

/// Refuses the first attempt; the task's retry rules bring it back.
fn charge(item: &WorkItem) -> Result<Value, Failure> {
    if item.attempt == 1 {
        return Err(Failure::new("busy", "the payment service is busy"));
    }
    let cents = item.input.get("cents").unwrap_or_default();
    Ok(value!({ "cents": (cents.clone()), "receipt": (format!("P-{cents}")) }))
}

/// JSON with sorted keys: the canonical form of equal values is equal.
fn sorted(value: &Value) -> statewright::Result<String> {
    Ok(Value::from_msgpack(&value.canonical())?.to_json())
}
