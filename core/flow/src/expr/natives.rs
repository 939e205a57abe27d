//! Filters written in Rust: the ones jaq leaves to the value type, and metered or pure replacements for some of
//! its own.

use std::cmp::Ordering;

use jaq_core::box_iter::box_once;
use jaq_core::data::JustLut;
use jaq_core::native::{Fun, bome, run, unary, v};
use jaq_core::{Bind, Cv, Error, Exn, Native, RunPtr, ValXs};
use statewright_value::{Kind, Value};

use super::compare::{compare, equal, sort};
use super::meter::{self, Trip};
use super::number::Number;
use super::value::{Json, Result, fail, is_seen, to_json};
use super::{regex, text};

pub(super) type Data = JustLut<Json>;
/// Name, arguments and implementation of a filter.
pub(super) type Filter = (&'static str, Box<[Bind]>, RunPtr<Data>);

/// Put in front of the body of every definition; no expression can spell the name.
pub(super) const CALL: &str = "!call";
/// Put in front of every other branch of a comma and of the body of a fold.
pub(super) const STEP: &str = "!step";

/// A call keeps about this many times as much memory alive as a step.
const CALL_STEPS: u64 = 8;
/// Longest path an expression may build. Values are not nested deeper than this, and a path is a linked list that
/// is dropped recursively.
const PATH_PARTS: usize = 256;

/// Filters of jaq that are not taken over: replaced below because they sort with an order that cannot fail, or
/// refused.
const REPLACED: [&str; 6] = [
    "sort",
    "sort_by",
    "group_by",
    "min_by_or_empty",
    "max_by_or_empty",
    "halt",
];

/// Every native filter an expression can reach.
pub(super) fn funs() -> Vec<Fun<Data>> {
    let core = jaq_core::funs::<Data>();
    let std = jaq_std::base_funs::<Data>().filter(|(name, ..)| !REPLACED.contains(name));
    let own = [general(), order(), math(), text::funs(), regex::funs()];
    let mut funs: Vec<Fun<Data>> = own.into_iter().flatten().map(run::<Data>).collect();
    funs.extend(core.chain(std));
    funs.push((CALL, v(0), tick::<CALL_STEPS>()));
    funs.push((STEP, v(0), tick::<1>()));
    funs
}

/// The identity filter, at the price of `N` steps. What it throws when a limit is passed is not an error that
/// `try` could catch but jaq's exception for "stop".
fn tick<const N: u64>() -> Native<Data> {
    fn stop<'a>(_: Trip) -> Exn<'a, Json> {
        Exn::halt(1)
    }
    Native::new(|cv| box_once(meter::charge(N).map(|()| cv.1).map_err(stop)))
        .with_paths(|cv| {
            let long = cv.1.1.get(PATH_PARTS).is_some();
            let spent = if long {
                Err(meter::too_deep())
            } else {
                meter::charge(N)
            };
            box_once(spent.map(|()| cv.1).map_err(stop))
        })
        .with_update(|cv, f| match meter::charge(N) {
            Ok(()) => f(cv.1),
            Err(trip) => box_once(Err(stop(trip))),
        })
}

fn general() -> Vec<Filter> {
    vec![
        ("type", v(0), |cv| {
            bome(Ok(Json(Value::text(cv.1.type_name()))))
        }),
        ("length", v(0), |cv| bome(length(&cv.1))),
        ("tojson", v(0), |cv| bome(to_json(&cv.1))),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        ("parse_number", v(0), |cv| bome(parse_number(&cv.1))),
        ("has", v(1), |cv| {
            unary(cv, |value, key| value.has(&key).map(Json::from))
        }),
        ("contains", v(1), |cv| {
            unary(cv, |a, b| contains(&a.0, &b.0).map(Json::from))
        }),
        ("indices", v(1), |cv| {
            unary(cv, |value, part| indices(&value, &part))
        }),
    ]
}

fn length(json: &Json) -> Result {
    let length = match json.kind() {
        Kind::Null => 0,
        Kind::Bool => return fail(format_args!("{json} has no length")),
        Kind::Integer | Kind::Float | Kind::Decimal => {
            let Some(number) = json.number() else {
                return Ok(json.clone());
            };
            let negative = number.order(Number::Integer(0)) == Ordering::Less;
            return if negative {
                -json.clone()
            } else {
                Ok(json.clone())
            };
        }
        Kind::Text => {
            meter::charge_text(json.0.len())?;
            json.try_str()?.chars().count()
        }
        _ => json.0.len(),
    };
    Ok(Json::from(length))
}

fn from_json(json: &Json) -> Result {
    let text = json.try_str()?;
    meter::charge(text.len() as u64 / 2)?;
    match Value::from_json(text) {
        Ok(value) => Ok(Json(value)),
        Err(error) => fail(error),
    }
}

fn parse_number(json: &Json) -> Result {
    let text = json.try_str()?;
    match Value::from_json(text.trim()) {
        Ok(value) if matches!(value.kind(), Kind::Integer | Kind::Float) => Ok(Json(value)),
        _ => fail(format_args!("cannot parse {json} as a number")),
    }
}

/// Texts contain their parts, arrays and objects what is contained in one of their items or in the same entry.
fn contains(whole: &Value, part: &Value) -> Result<bool> {
    if !is_seen(whole) || !is_seen(part) {
        return contains(&Json::seen(whole.clone()).0, &Json::seen(part.clone()).0);
    }
    match (whole.kind(), part.kind()) {
        (Kind::Text, Kind::Text) => {
            meter::charge_text(whole.len())?;
            Ok(whole
                .as_str()
                .unwrap_or_default()
                .contains(part.as_str().unwrap_or_default()))
        }
        (Kind::Array, Kind::Array) => {
            for part in part.items() {
                if !any(whole.items(), |item| contains(item, &part))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Kind::Object, Kind::Object) => {
            for (key, part) in part.entries() {
                meter::charge(1)?;
                match whole.get(key) {
                    Some(value) if contains(&value, &part)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        _ => Ok(equal(whole, part)?),
    }
}

fn any(items: impl Iterator<Item = Value>, test: impl Fn(&Value) -> Result<bool>) -> Result<bool> {
    for item in items {
        meter::charge(1)?;
        if test(&item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where `part` occurs in a text (in code points) or an array.
pub(super) fn indices(whole: &Json, part: &Json) -> Result {
    let mut found = Vec::new();
    match (whole.kind(), part.kind()) {
        (Kind::Null, _) => return Ok(Json(Value::NULL)),
        (Kind::Text, Kind::Text) => {
            let (text, part) = (whole.try_str()?, part.try_str()?);
            meter::charge((text.len() as u64).saturating_mul(16 + part.len() as u64) / 256)?;
            for (at, (byte, _)) in text.char_indices().enumerate() {
                let here = text.get(byte..).is_some_and(|rest| rest.starts_with(part));
                if here && !part.is_empty() {
                    found.push(Value::from(at));
                }
            }
        }
        (Kind::Array, Kind::Array) => {
            let (items, part): (Vec<_>, Vec<_>) =
                (whole.0.items().collect(), part.0.items().collect());
            meter::charge_items(items.len())?;
            for (at, window) in items.windows(part.len().max(1)).enumerate() {
                let mut same = !part.is_empty();
                for (item, wanted) in window.iter().zip(&part) {
                    same = same && equal(item, wanted)?;
                }
                if same {
                    found.push(Value::from(at));
                }
            }
        }
        (Kind::Array, _) => {
            for (at, item) in whole.0.items().enumerate() {
                if equal(&item, &part.0)? {
                    found.push(Value::from(at));
                }
            }
        }
        _ => return Err(Error::index(whole.clone(), part.clone())),
    }
    Json::array(found)
}

fn order() -> Vec<Filter> {
    let f = || Box::from([Bind::Fun(())]);
    vec![
        ("sort", v(0), |cv| bome(sort_values(&cv.1))),
        ("sort_by", f(), |cv| {
            box_once(keyed(cv).and_then(|keyed| {
                Ok(Json::array(
                    sort(keyed, &by_key)?
                        .into_iter()
                        .map(|(_, item)| item)
                        .collect(),
                )?)
            }))
        }),
        ("group_by", f(), |cv| {
            box_once(keyed(cv).and_then(|keyed| Ok(group(keyed)?)))
        }),
        ("min_by_or_empty", f(), |cv| extreme(cv, Ordering::is_lt)),
        ("max_by_or_empty", f(), |cv| extreme(cv, Ordering::is_ge)),
        ("bsearch", v(1), |cv| {
            unary(cv, |array, wanted| binary_search(&array, &wanted))
        }),
    ]
}

type Keyed = (Vec<Json>, Value);

/// The items of the input array, each with what the argument filter gives for it.
fn keyed<'a>(mut cv: Cv<'a, Data>) -> std::result::Result<Vec<Keyed>, Exn<'a, Json>> {
    let (f, context) = cv.0.pop_fun();
    if cv.1.kind() != Kind::Array {
        return Err(Error::typ(cv.1, "array").into());
    }
    let mut keyed = Vec::new();
    for item in cv.1.0.items() {
        meter::charge(4).map_err(Error::from)?;
        let key = f
            .run((context.clone(), Json::seen(item.clone())))
            .collect::<std::result::Result<_, _>>()?;
        keyed.push((key, item));
    }
    Ok(keyed)
}

fn by_key(a: &Keyed, b: &Keyed) -> Result<Ordering> {
    for (a, b) in a.0.iter().zip(&b.0) {
        let ordering = compare(&a.0, &b.0)?;
        if ordering != Ordering::Equal {
            return Ok(ordering);
        }
    }
    Ok(a.0.len().cmp(&b.0.len()))
}

fn sort_values(json: &Json) -> Result {
    if json.kind() != Kind::Array {
        return Err(Error::typ(json.clone(), "array"));
    }
    Json::array(sort(json.0.items().collect(), &|a, b| {
        Ok::<_, Error<Json>>(compare(a, b)?)
    })?)
}

fn group(keyed: Vec<Keyed>) -> Result {
    let mut groups: Vec<(Keyed, Vec<Value>)> = Vec::new();
    for next in sort(keyed, &by_key)? {
        let item = next.1.clone();
        match groups.last_mut() {
            Some((first, items)) if by_key(first, &next)? == Ordering::Equal => items.push(item),
            _ => groups.push((next, vec![item])),
        }
    }
    Json::array(
        groups
            .into_iter()
            .map(|(_, items)| Value::from(items))
            .collect(),
    )
}

/// The item whose key `replaces` that of every item before it; nothing for an empty array.
fn extreme<'a>(cv: Cv<'a, Data>, replaces: fn(Ordering) -> bool) -> ValXs<'a, Json> {
    let best = keyed(cv).and_then(|keyed| {
        let mut best: Option<Keyed> = None;
        for next in keyed {
            let better = match &best {
                Some(best) => replaces(by_key(&next, best)?),
                None => true,
            };
            if better {
                best = Some(next);
            }
        }
        Ok(best.map(|(_, item)| Json::seen(item)))
    });
    Box::new(best.transpose().into_iter())
}

fn binary_search(array: &Json, wanted: &Json) -> Result {
    let (mut low, mut high) = (0, array.0.len());
    while low < high {
        let middle = low.midpoint(high);
        match compare(&array.0.index(middle).unwrap_or_default(), &wanted.0)? {
            Ordering::Equal => return Ok(Json::from(middle)),
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
        }
    }
    Ok(Json::from(-1 - low as isize))
}

macro_rules! float {
    ($name:literal, $f:path) => {
        ($name, v(0), |cv: Cv<'_, Data>| {
            bome(match cv.1.number() {
                Some(number) => Json::from_number(Number::Float($f(number.float()))),
                None => Err(Error::typ(cv.1, "number")),
            })
        })
    };
}

/// Through `libm`, so that a result does not depend on the platform's own mathematics.
fn math() -> Vec<Filter> {
    vec![
        float!("sqrt", libm::sqrt),
        float!("cbrt", libm::cbrt),
        float!("exp", libm::exp),
        float!("exp2", libm::exp2),
        float!("exp10", libm::exp10),
        float!("log", libm::log),
        float!("log2", libm::log2),
        float!("log10", libm::log10),
        float!("sin", libm::sin),
        float!("cos", libm::cos),
        float!("tan", libm::tan),
        float!("asin", libm::asin),
        float!("acos", libm::acos),
        float!("atan", libm::atan),
        float!("trunc", libm::trunc),
        float!("fabs", libm::fabs),
        ("pow", v(2), |mut cv| {
            let (y, x) = (cv.0.pop_var(), cv.0.pop_var());
            bome(match (x.number(), y.number()) {
                (Some(x), Some(y)) => {
                    Json::from_number(Number::Float(libm::pow(x.float(), y.float())))
                }
                _ => fail(format_args!("cannot raise {x} to the power {y}")),
            })
        }),
    ]
}
