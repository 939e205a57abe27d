//! How C lays structs out: computed here, and asserted against the compilers by the tests that are generated
//! from it.

use std::collections::BTreeMap;

/// Where the fields of a struct are, and how large it is.
pub struct Layout {
    pub offsets: Vec<u64>,
    pub size: u64,
    pub align: u64,
}

/// Lays out fields (name and C type) for pointers of `pointer` bytes. Padding is an error: it would be sent
/// uninitialized.
pub fn of(
    fields: &[(String, String)],
    pointer: u64,
    structs: &BTreeMap<String, Vec<(String, String)>>,
) -> Result<Layout, String> {
    let mut layout = Layout {
        offsets: Vec::new(),
        size: 0,
        align: 1,
    };
    for (name, c_type) in fields {
        let (size, align) = measure(c_type, pointer, structs)?;
        if layout.size.next_multiple_of(align) != layout.size {
            return Err(format!(
                "there is padding before `{name}` with pointers of {pointer} bytes; reorder, or add a reserved field"
            ));
        }
        layout.offsets.push(layout.size);
        layout.size = layout.size.saturating_add(size);
        layout.align = layout.align.max(align);
    }
    if layout.size.next_multiple_of(layout.align) != layout.size {
        return Err(format!(
            "there is padding at the end with pointers of {pointer} bytes; add a reserved field"
        ));
    }
    Ok(layout)
}

fn measure(
    c_type: &str,
    pointer: u64,
    structs: &BTreeMap<String, Vec<(String, String)>>,
) -> Result<(u64, u64), String> {
    Ok(match c_type {
        "uint8_t" | "char" => (1, 1),
        "uint32_t" | "int32_t" | "sw_status" => (4, 4),
        "uint64_t" | "int64_t" => (8, 8),
        "size_t" => (pointer, pointer),
        other if other.ends_with('*') => (pointer, pointer),
        other => {
            let fields = structs
                .get(other)
                .ok_or_else(|| format!("`{other}` has no known layout"))?;
            let inner = of(fields, pointer, structs)?;
            (inner.size, inner.align)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(types: &[&str]) -> Vec<(String, String)> {
        types
            .iter()
            .enumerate()
            .map(|(n, c_type)| (format!("f{n}"), (*c_type).to_owned()))
            .collect()
    }

    #[test]
    fn fields_follow_each_other() {
        let layout = of(
            &fields(&["const char *", "size_t", "uint64_t"]),
            4,
            &BTreeMap::new(),
        )
        .map(|l| (l.offsets, l.size));
        assert_eq!(layout, Ok((vec![0, 4, 8], 16)));
    }

    #[test]
    fn padding_is_refused() {
        assert!(of(&fields(&["uint32_t", "uint64_t"]), 8, &BTreeMap::new()).is_err());
        assert!(of(&fields(&["uint64_t", "uint32_t"]), 8, &BTreeMap::new()).is_err());
    }
}
