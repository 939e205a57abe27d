//! Rows of a comparison, for people and for programs.

use serde_json::{Value, json};

/// Ours beside one peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was measured: `store/memory/put (cpu)`.
    pub name: String,
    /// Our median.
    pub ours: f64,
    /// The peer's median.
    pub peer: f64,
    /// Who the peer is, and in which mode.
    pub peer_name: String,
    /// The unit of both: `ns` for one operation.
    pub unit: &'static str,
}

impl Row {
    /// A row of times, in nanoseconds for one operation.
    pub fn time(
        name: impl Into<String>,
        ours: f64,
        peer: f64,
        peer_name: impl Into<String>,
    ) -> Row {
        Row {
            name: name.into(),
            ours,
            peer,
            peer_name: peer_name.into(),
            unit: "ns",
        }
    }

    /// How many times faster we are: peer / ours. Above 1 we are faster, below 1 the peer is.
    pub fn ratio(&self) -> f64 {
        if self.ours > 0.0 {
            self.peer / self.ours
        } else {
            0.0
        }
    }

    /// The row as one JSON object.
    pub fn json(&self) -> Value {
        let round =
            |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
        json!({
            "name": self.name, "ours": round(self.ours, 1), "peer": round(self.peer, 1), "peer_name": self.peer_name,
            "unit": self.unit, "ratio": round(self.ratio(), 3),
        })
    }

    /// The row as one line of a table; see [`heading`].
    pub fn line(&self) -> String {
        let (ours, peer) = (human(self.ours), human(self.peer));
        format!(
            "{:40} {ours:>10} {peer:>10} {:>8.2}x  {}",
            self.name,
            self.ratio(),
            self.peer_name
        )
    }
}

/// The heading of the table.
pub fn heading() -> String {
    format!(
        "{:40} {:>10} {:>10} {:>9}  peer (above 1x we are faster)",
        "", "ours", "peer", "ratio"
    )
}

/// Nanoseconds as people read them.
fn human(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_programs_and_for_people() {
        let row = Row::time("store/memory/put (cpu)", 400.0, 10_000.0, "SQLite");
        let text = r#"{"name":"store/memory/put (cpu)","ours":400.0,"peer":10000.0,"peer_name":"SQLite","unit":"ns","ratio":25.0}"#;
        assert_eq!(row.json().to_string(), text);
        assert!(
            row.line()
                .ends_with("    400 ns   10.00 µs    25.00x  SQLite"),
            "{}",
            row.line()
        );
        assert_eq!(Row::time("", 0.0, 1.0, "").ratio(), 0.0);
    }
}
