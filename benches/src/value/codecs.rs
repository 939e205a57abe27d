//! Parse, print, memory after parsing, MessagePack.

use std::hint::black_box;

use anyhow::{Result, ensure};
use serde_json::Value as Json;
use simd_json::prelude::Writable;
use statewright_value::Value;

use super::inputs::Inputs;
use super::{Means, Run};
use crate::measure::{Clock, Contender};
use crate::memory::counted;
use crate::report::{Row, Target};

const SERDE_JSON: &str = "serde_json";
const SONIC: &str = "sonic-rs Value";
const SIMD_OWNED: &str = "simd-json owned";
const SIMD_BORROWED: &str = "simd-json borrowed";

/// The size of the handle itself.
pub fn size(run: &mut Run<'_>, _: &Inputs) -> Result<()> {
    let (ours, peer) = (size_of::<Value>() as f64, size_of::<Json>() as f64);
    let row = Row::bytes("value/size/of the handle", ours, peer, SERDE_JSON);
    run.emit(row.with_target(Some(Target::ours(24.0))));
    Ok(())
}

/// Text to an owned, navigable value. Dropping it is not counted, nor is the copy that simd-json destroys.
pub fn parse(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let mut means = Means::default();
    for input in &inputs.all {
        let text = &input.text;
        let contenders = vec![
            Contender::prepared("ours", || (), |()| Value::from_json(text)),
            Contender::prepared(SERDE_JSON, || (), |()| serde_json::from_slice::<Json>(text)),
            Contender::prepared(
                SONIC,
                || (),
                |()| sonic_rs::from_slice::<sonic_rs::Value>(text),
            ),
            Contender::prepared(
                SIMD_OWNED,
                || text.clone(),
                |mut text| simd_json::to_owned_value(&mut text),
            ),
            Contender::timing(SIMD_BORROWED, || {
                let mut text = text.clone();
                let start = Clock::now();
                let value = black_box(simd_json::to_borrowed_value(&mut text));
                let time = start.elapsed(1);
                drop(value);
                time
            }),
        ];
        let targets = [Some(Target::ratio(3.0))];
        means.add(run.compare(&format!("parse/{}", input.name), contenders, &targets));
    }
    means.rows(run, "parse/geometric mean", |peer| {
        (peer == SONIC).then_some(Target::ratio(1.0 / 1.05))
    })?;
    let mut means = Means::default();
    for input in &inputs.all {
        let text = &input.text;
        let contenders = vec![
            Contender::new("ours", || Value::from_json(text)),
            Contender::new(SERDE_JSON, || serde_json::from_slice::<Json>(text)),
            Contender::new(SONIC, || sonic_rs::from_slice::<sonic_rs::Value>(text)),
        ];
        means.add(run.compare(&format!("parse and drop/{}", input.name), contenders, &[]));
    }
    means.rows(run, "parse and drop/geometric mean", |_| None)
}

/// Bytes asked for and still held by one parsed document.
pub fn memory(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    for input in &inputs.all {
        let name = format!("memory/parsed {}", input.name);
        if !run.wants(&name) {
            continue;
        }
        let text = &input.text;
        // Whatever is made once and kept (tables of keys, thread-locals) is made before.
        let held = || {
            let (ours, held) = counted(|| Value::from_json(text));
            ensure!(ours.is_ok(), "{} cannot be parsed", input.name);
            let (json, json_held) = counted(|| serde_json::from_slice::<Json>(text));
            let (sonic, sonic_held) = counted(|| sonic_rs::from_slice::<sonic_rs::Value>(text));
            let (simd, simd_held) = counted(|| simd_json::to_owned_value(&mut text.clone()));
            drop((json?, sonic?, simd?));
            Ok([held, json_held, sonic_held, simd_held])
        };
        held()?;
        let [ours, json, sonic, simd] = held()?.map(|held| held.live as f64);
        let row = |peer, name: &str| {
            Row::bytes(
                format!("value/memory/parsed {}", input.name),
                ours,
                peer,
                name,
            )
        };
        run.emit(row(json, SERDE_JSON));
        run.emit(row(sonic, SONIC).with_target(Some(Target::ratio(1.0))));
        run.emit(row(simd, SIMD_OWNED));
    }
    two_forms(run, inputs)
}

/// The 1 MB document packed, as it comes from the parser, and as nodes, as it is once every place was edited.
fn two_forms(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let text = inputs.text("1MB")?;
    let json: Json = serde_json::from_slice(text)?;
    let (_, json_held) = counted(|| json.clone());
    let (packed, packed_held) = counted(|| Value::from_json(text));
    let (nodes, nodes_held) = counted(|| Value::from(&json));
    ensure!(packed? == nodes, "the two forms differ");
    for (name, held, most) in [
        ("1MB packed", packed_held, 1.3e6),
        ("1MB as nodes", nodes_held, 4.5e6),
    ] {
        let name = format!("memory/{name}");
        if run.wants(&name) {
            let row = Row::bytes(
                format!("value/{name}"),
                held.live as f64,
                json_held.live as f64,
                SERDE_JSON,
            );
            run.emit(row.with_target(Some(Target::ours(most))));
        }
    }
    Ok(())
}

/// A parsed document to compact JSON text.
pub fn print(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let mut means = Means::default();
    for input in &inputs.all {
        let ours = Value::from_json(&input.text)?;
        let json: Json = serde_json::from_slice(&input.text)?;
        let sonic: sonic_rs::Value = sonic_rs::from_slice(&input.text)?;
        let simd = simd_json::to_owned_value(&mut input.text.clone())?;
        ensure!(
            Value::from_json(ours.to_json())? == ours,
            "{} does not print as it was read",
            input.name
        );
        let contenders = vec![
            Contender::prepared("ours", || (), |()| ours.to_json()),
            Contender::prepared(SERDE_JSON, || (), |()| serde_json::to_string(&json)),
            Contender::prepared(SONIC, || (), |()| sonic_rs::to_string(&sonic)),
            Contender::prepared(SIMD_OWNED, || (), |()| simd.encode()),
        ];
        means.add(run.compare(&format!("print/{}", input.name), contenders, &[]));
    }
    means.rows(run, "print/geometric mean", |peer| match peer {
        SERDE_JSON => Some(Target::ratio(1.5)),
        SONIC => Some(Target::ratio(1.0)),
        _ => None,
    })
}

/// MessagePack to a value and back, against `rmp_serde` to and from `serde_json`.
pub fn msgpack(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let peer = "rmp_serde, serde_json";
    let promise = [Some(Target::ratio(1.5))];
    let (mut decode, mut encode) = (Means::default(), Means::default());
    for input in &inputs.all {
        let ours = Value::from_json(&input.text)?;
        let json: Json = serde_json::from_slice(&input.text)?;
        let bytes = ours.to_msgpack();
        ensure!(
            Value::from(rmp_serde::from_slice::<Json>(&bytes)?) == ours,
            "{}: rmp_serde reads something else",
            input.name
        );
        let contenders = vec![
            Contender::prepared("ours", || (), |()| Value::from_msgpack(&bytes)),
            Contender::prepared(peer, || (), |()| rmp_serde::from_slice::<Json>(&bytes)),
        ];
        decode.add(run.compare(
            &format!("msgpack/decode {}", input.name),
            contenders,
            &promise,
        ));
        let contenders = vec![
            Contender::prepared("ours", || (), |()| ours.to_msgpack()),
            Contender::prepared(peer, || (), |()| rmp_serde::to_vec(&json)),
        ];
        encode.add(run.compare(
            &format!("msgpack/encode {}", input.name),
            contenders,
            &promise,
        ));
    }
    let target = |_: &str| Some(Target::ratio(1.5));
    decode.rows(run, "msgpack/decode geometric mean", target)?;
    encode.rows(run, "msgpack/encode geometric mean", target)
}
