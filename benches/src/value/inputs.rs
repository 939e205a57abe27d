//! The documents: four public ones, and synthetic customers with orders in two sizes.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};
use statewright_value::{Path, Segment};

use crate::measure::Sequence;

/// One document, as text.
pub struct Input {
    /// What rows call it.
    pub name: &'static str,
    /// The JSON text.
    pub text: Vec<u8>,
}

/// Every document.
pub struct Inputs {
    /// The public ones, the 10 kB and the 1 MB document, in this order.
    pub all: Vec<Input>,
}

/// Customers in the large document, which is a little more than 1 MB.
pub const LARGE: usize = 1450;
/// Customers in the small document of about 10 kB.
const SMALL: usize = 15;

impl Inputs {
    /// Where the public documents are: beside the repository.
    pub fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/bench-data/json")
    }

    /// Reads the public documents and makes the others.
    pub fn load() -> Result<Inputs> {
        let mut all = Vec::new();
        for name in ["twitter", "citm_catalog", "canada", "github_events"] {
            let file = Inputs::folder().join(name).with_extension("json");
            let text = std::fs::read(&file)
                .with_context(|| format!("cannot read the input {}", file.display()))?;
            all.push(Input { name, text });
        }
        for (name, customers) in [("10kB", SMALL), ("1MB", LARGE)] {
            let text = customers_document(customers).to_string().into_bytes();
            all.push(Input { name, text });
        }
        Ok(Inputs { all })
    }

    /// The text of the document called `name`.
    pub fn text(&self, name: &str) -> Result<&[u8]> {
        let input = self.all.iter().find(|input| input.name == name);
        Ok(&input.with_context(|| format!("no input {name}"))?.text)
    }
}

/// Customers by name, each with a profile and three orders of three items: about 730 bytes a customer.
pub fn customers_document(count: usize) -> Json {
    let mut random = Sequence::new(99);
    let mut customers = serde_json::Map::new();
    for number in 0..count {
        let orders: Vec<Json> = (0..3).map(|at| order(&mut random, number, at)).collect();
        let city = ["Paris", "Tokyo", "Lagos", "Lima"].get(number % 4).copied();
        let customer = json!({
            "name": format!("User Number {number}"),
            "email": format!("user{number}@example.com"),
            "active": number % 3 == 0,
            "profile": {
                "age": 20 + number % 60,
                "city": city,
                "tags": ["a", "bb", "ccc", "dddd"],
            },
            "orders": orders,
        });
        customers.insert(customer_key(number), customer);
    }
    json!({"meta": {"version": 1, "created": "2026-01-01T00:00:00Z"}, "users": customers})
}

fn order(random: &mut Sequence, customer: usize, at: usize) -> Json {
    let cents = |random: &mut Sequence, below| random.below(below) as f64 / 100.0;
    let total = cents(random, 100_000);
    let status = ["new", "paid", "sent"].get(random.below(3)).copied();
    let items: Vec<Json> = (1..=3)
        .map(|quantity| {
            let sku = format!("SKU-{:05}", random.below(99_999));
            json!({"sku": sku, "qty": quantity, "price": cents(random, 9_999)})
        })
        .collect();
    json!({"id": customer * 10 + at, "total": total, "status": status, "items": items})
}

fn customer_key(number: usize) -> String {
    format!("u{number:06}")
}

/// Places in the document of [`customers_document`], four and seven steps deep in turn.
pub fn places(customers: usize, count: usize) -> Vec<Path> {
    let mut random = Sequence::new(5);
    (0..count)
        .map(|at| {
            let customer = Path::root()
                .key("users")
                .key(&customer_key(random.below(customers)));
            match at % 2 {
                0 => customer.key("profile").key("age"),
                _ => customer
                    .key("orders")
                    .index(1)
                    .key("items")
                    .index(2)
                    .key("qty"),
            }
        })
        .collect()
}

/// The place in a `serde_json` value.
pub fn json_mut<'a>(json: &'a mut Json, path: &Path) -> Option<&'a mut Json> {
    path.segments()
        .iter()
        .try_fold(json, |json, segment| match segment {
            Segment::Key(key) => json.get_mut(&**key),
            Segment::Index(at) => json.get_mut(*at),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_synthetic_documents_have_their_sizes_and_places() {
        let small = customers_document(SMALL).to_string();
        assert!((9_000..12_000).contains(&small.len()), "{}", small.len());
        let mut large = customers_document(LARGE);
        let length = large.to_string().len();
        assert!((1_000_000..1_100_000).contains(&length), "{length}");
        for path in places(LARGE, 20) {
            assert!(json_mut(&mut large, &path).unwrap().is_u64(), "{path}");
        }
    }
}
