//! What people do to cases: find work, take it, hand it on, skip it; suspend, signal, ask and cancel cases; pause what
//! begins by itself.

use std::error::Error;

use statewright::flow::{Delivery, WorkFilter, WorkInfo};
use statewright::{Engine, Value, value};

fn main() -> Result<(), Box<dyn Error>> {
    let engine = statewright_examples::open()?;
    engine.deploy(include_str!("../../../flows/claim.yaml"), None)?;
    people_work(&engine)?;
    a_case_is_cancelled(&engine)?;
    work_is_skipped(&engine)?;
    what_begins_by_itself(&engine)?;
    engine.close()?;
    Ok(())
}

fn people_work(engine: &Engine) -> Result<(), Box<dyn Error>> {
    let case = engine.start("claim", Value::NULL, Some("claim-1"))?;
    let assess = offered(engine, &case)?.remove(0);
    println!("{case} offers {} to {}", assess.task, assess.topic);
    let mine = engine.take(&case, assess.item, "ann", None)?;
    let theirs = engine.delegate(&mine.token, "bob", None)?;
    let holder = mine.input.as_str().unwrap_or_default().to_owned();
    println!("ann took it for {holder} and handed it to bob");
    if let Err(e) = engine.complete(&mine.token, value!("not covered")) {
        println!("ann's result is refused: {}", e.code());
    }
    engine.complete(&theirs.token, value!("covered"))?;
    println!("bob's result is accepted");

    engine.add_instances(&case, "inspect", &[value!("garage")])?;
    let parts = offered(engine, &case)?;
    println!("{case} offers inspect {} times", parts.len());
    let last = parts.last().ok_or("nothing is offered")?;
    let part = engine.take(&case, last.item, "bob", None)?;
    engine.complete(&part.token, value!("damaged"))?;
    println!("bob inspected {}", part.input.as_str().unwrap_or_default());
    // The rest need not be looked at.
    engine.complete_task(&case, "inspect")?;

    engine.suspend_case(&case)?;
    let payment = value!({ "cents": 120_000 });
    if let Delivery::Dropped { code } = engine.signal(&case, "paid", &payment)? {
        println!("{case} is suspended; a payment is dropped: {code}");
    }
    engine.resume_case(&case)?;
    if let Err(e) = engine.signal(&case, "paid", &value!({ "cents": "much" })) {
        println!(
            "resumed, a payment that does not fit is refused: {}",
            e.code()
        );
    }
    if let Delivery::Taken { task, reply, .. } = engine.signal(&case, "paid", &payment)? {
        let reply = reply.unwrap_or_default().to_json();
        println!("a payment is taken by {task}, which answers {reply}");
    }
    print_end(engine, &case)?;
    let count = engine.query(&case, ".inspections | length")?;
    println!("{case}, asked for its inspections: {}", count.to_json());
    Ok(())
}

fn a_case_is_cancelled(engine: &Engine) -> Result<(), Box<dyn Error>> {
    let case = engine.start("claim", Value::NULL, Some("claim-2"))?;
    engine.cancel_case(&case, "withdrawn by the holder")?;
    let ended = engine.case(&case)?;
    let why = ended.error.and_then(|e| e.get("message"));
    let why = why.unwrap_or_default();
    println!(
        "{case} {}: {}",
        ended.status,
        why.as_str().unwrap_or_default()
    );
    if let Err(e) = engine.cancel_case(&case, "") {
        println!("cancelling it again is refused: {}", e.code());
    }
    Ok(())
}

fn work_is_skipped(engine: &Engine) -> Result<(), Box<dyn Error>> {
    let case = engine.start("claim", Value::NULL, Some("claim-3"))?;
    let assess = offered(engine, &case)?.remove(0);
    engine.skip(&case, assess.item, "a known case")?;
    engine.complete_task(&case, "inspect")?;
    engine.signal(&case, "paid", &Value::NULL)?;
    print_end(engine, &case)
}

fn what_begins_by_itself(engine: &Engine) -> Result<(), Box<dyn Error>> {
    engine.deploy(include_str!("../../../flows/digest.yaml"), None)?;
    for schedule in engine.schedules()? {
        let (flow, when, overlap) = (schedule.flow, schedule.when, schedule.overlap);
        println!("{flow} begins by itself: {when}, {overlap}");
    }
    engine.pause_schedule("digest")?;
    let times = engine.upcoming("digest", 3)?.len();
    println!("paused, it has {times} next times");
    engine.resume_schedule("digest")?;
    let times = engine.upcoming("digest", 3)?.len();
    println!("resumed, it has {times} next times");
    Ok(())
}

fn offered(engine: &Engine, case: &str) -> statewright::Result<Vec<WorkInfo>> {
    engine.work(&WorkFilter {
        case: Some(case.to_owned()),
        ..WorkFilter::default()
    })
}

fn print_end(engine: &Engine, case: &str) -> Result<(), Box<dyn Error>> {
    let ended = engine.wait(case, None)?;
    let result = ended.result.unwrap_or_default();
    println!("{case} {}: {}", ended.status, result.to_canonical_json()?);
    Ok(())
}
