//! Where nodes and edges of a drawing go: in layers from top to bottom, after Sugiyama, Tagawa and Toda (1981).
//!
//! Edges that close a cycle are turned round, each node gets the longest path to it as its layer, edges over several
//! layers get a bend in each, the order in the layers is improved by barycentres and exchanges of neighbours, and each
//! layer is put as near as it can be to what it is joined to (a least-squares fit in order, by pooling adjacent
//! violators). Nothing is random and nothing depends on hashes, so the same graph always looks the same.

use std::collections::VecDeque;

/// Rounds of improving the order, and of moving layers towards their neighbours.
const ROUNDS: usize = 12;
/// Nodes and bends at most; drawings beyond that are of no use to anybody.
const MOST: usize = 50_000;
/// The space between layers, between nodes, and between bends.
const LAYER_GAP: f64 = 60.0;
const NODE_GAP: f64 = 32.0;
const BEND_GAP: f64 = 18.0;
/// How far apart edges leave a node at most.
const PORT: f64 = 26.0;

pub type Point = (f64, f64);

/// What a node needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    pub width: f64,
    pub height: f64,
    /// Edges meet it in the middle alone.
    pub round: bool,
}

/// A finished layout.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The middle of each node.
    pub nodes: Vec<Point>,
    /// The points of each edge, from its beginning to its end; none for one from a node to itself.
    pub edges: Vec<Vec<Point>>,
    pub width: f64,
    pub height: f64,
}

/// Lays a graph out; none if it is too large. O(rounds · edges · log edges), with edges counted once a layer.
pub fn layout(sizes: &[Size], edges: &[(usize, usize)]) -> Option<Layout> {
    let reversed = reversed(sizes.len(), edges);
    let pairs: Vec<(usize, usize)> = edges
        .iter()
        .zip(&reversed)
        .map(|(&(from, to), turned)| if *turned { (to, from) } else { (from, to) })
        .collect();
    let layer = layers(sizes.len(), &pairs);
    let mut graph = Graph::new(sizes, &layer, &pairs)?;
    graph.order();
    graph.place();
    Some(graph.finish(&pairs, &reversed))
}

fn get<T: Copy + Default>(of: &[T], index: usize) -> T {
    of.get(index).copied().unwrap_or_default()
}

fn list<T>(of: &[Vec<T>], index: usize) -> &[T] {
    of.get(index).map_or(&[], Vec::as_slice)
}

fn set<T>(of: &mut [T], index: usize, value: T) {
    if let Some(place) = of.get_mut(index) {
        *place = value;
    }
}

fn push<T>(of: &mut [Vec<T>], index: usize, value: T) {
    if let Some(list) = of.get_mut(index) {
        list.push(value);
    }
}

/// Which edges close a cycle, looking from nodes that nothing leads to, then from the others in order.
fn reversed(nodes: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    let mut out = vec![Vec::new(); nodes];
    let mut has_in = vec![false; nodes];
    for (edge, &(from, to)) in edges.iter().enumerate() {
        if from != to {
            push(&mut out, from, edge);
            set(&mut has_in, to, true);
        }
    }
    let mut reversed = vec![false; edges.len()];
    // 0: not seen, 1: on the path, 2: done.
    let mut state = vec![0u8; nodes];
    let roots = (0..nodes).filter(|n| !get(&has_in, *n)).chain(0..nodes);
    for root in roots {
        if get(&state, root) != 0 {
            continue;
        }
        set(&mut state, root, 1);
        let mut path = vec![(root, 0usize)];
        while let Some((node, next)) = path.last_mut() {
            let Some(&edge) = list(&out, *node).get(*next) else {
                set(&mut state, *node, 2);
                path.pop();
                continue;
            };
            *next = next.saturating_add(1);
            let (_, to) = get(edges, edge);
            match get(&state, to) {
                0 => {
                    set(&mut state, to, 1);
                    path.push((to, 0));
                }
                1 => set(&mut reversed, edge, true),
                _ => {}
            }
        }
    }
    reversed
}

/// The longest path to each node; what nothing leads to stands just above the first it leads to.
fn layers(nodes: usize, pairs: &[(usize, usize)]) -> Vec<usize> {
    let mut out = vec![Vec::new(); nodes];
    let mut before = vec![0usize; nodes];
    for &(from, to) in pairs.iter().filter(|(from, to)| from != to) {
        push(&mut out, from, to);
        let count = get(&before, to).saturating_add(1);
        set(&mut before, to, count);
    }
    let sources: Vec<usize> = (0..nodes).filter(|n| get(&before, *n) == 0).collect();
    let mut layer = vec![0usize; nodes];
    let mut ready: VecDeque<usize> = sources.iter().copied().collect();
    while let Some(node) = ready.pop_front() {
        let next = get(&layer, node).saturating_add(1);
        for &to in list(&out, node) {
            let lowest = get(&layer, to).max(next);
            set(&mut layer, to, lowest);
            let left = get(&before, to).saturating_sub(1);
            set(&mut before, to, left);
            if left == 0 {
                ready.push_back(to);
            }
        }
    }
    for node in sources {
        let first = list(&out, node).iter().map(|to| get(&layer, *to)).min();
        set(&mut layer, node, first.unwrap_or(0).saturating_sub(1));
    }
    layer
}

/// Towards which neighbours a row moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Above,
    Below,
}

/// Nodes and bends, in layers.
struct Graph<'a> {
    sizes: &'a [Size],
    /// Every node, then every bend.
    layer: Vec<usize>,
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    /// The nodes and bends of each edge, from above to below.
    chains: Vec<Vec<usize>>,
    rows: Vec<Vec<usize>>,
    /// The place of each in its row.
    rank: Vec<usize>,
    x: Vec<f64>,
}

impl<'a> Graph<'a> {
    fn new(sizes: &'a [Size], layer: &[usize], pairs: &[(usize, usize)]) -> Option<Graph<'a>> {
        let mut layer = layer.to_vec();
        let mut chains = Vec::with_capacity(pairs.len());
        for &(from, to) in pairs {
            let mut chain = vec![from];
            for row in get(&layer, from).saturating_add(1)..get(&layer, to) {
                chain.push(layer.len());
                layer.push(row);
            }
            chain.push(to);
            chains.push(chain);
            if layer.len() > MOST {
                return None;
            }
        }
        let mut above = vec![Vec::new(); layer.len()];
        let mut below = vec![Vec::new(); layer.len()];
        for chain in chains.iter().filter(|c| c.first() != c.last()) {
            for (upper, lower) in chain.iter().zip(chain.iter().skip(1)) {
                push(&mut below, *upper, *lower);
                push(&mut above, *lower, *upper);
            }
        }
        let depth = layer.iter().max().map_or(0, |most| most.saturating_add(1));
        let mut rows = vec![Vec::new(); depth];
        for (vertex, row) in layer.iter().enumerate() {
            push(&mut rows, *row, vertex);
        }
        let (rank, x) = (vec![0; layer.len()], vec![0.0; layer.len()]);
        let mut graph = Graph {
            sizes,
            layer,
            above,
            below,
            chains,
            rows,
            rank,
            x,
        };
        graph.number();
        Some(graph)
    }

    fn number(&mut self) {
        for row in &self.rows {
            for (rank, vertex) in row.iter().enumerate() {
                set(&mut self.rank, *vertex, rank);
            }
        }
    }

    /// Improves the order in the rows, so that fewer edges cross.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.rows.clone());
        for round in 0..ROUNDS {
            self.sweep(round % 2 == 0);
            self.exchange();
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
        }
        self.rows = best.1;
        self.number();
    }

    /// Sorts every row by where its neighbours in the row before stand.
    fn sweep(&mut self, down: bool) {
        let mut rows = std::mem::take(&mut self.rows);
        let order: Vec<usize> = if down {
            (0..rows.len()).collect()
        } else {
            (0..rows.len()).rev().collect()
        };
        for index in order {
            let Some(row) = rows.get_mut(index) else {
                continue;
            };
            let towards = if down { &self.above } else { &self.below };
            let wish = |vertex: usize| {
                let near = list(towards, vertex);
                let sum: f64 = near.iter().map(|v| real(get(&self.rank, *v))).sum();
                if near.is_empty() {
                    real(get(&self.rank, vertex))
                } else {
                    sum / real(near.len())
                }
            };
            let mut wishes: Vec<(f64, usize)> = row.iter().map(|v| (wish(*v), *v)).collect();
            wishes.sort_by(|a, b| a.0.total_cmp(&b.0));
            *row = wishes.into_iter().map(|(_, vertex)| vertex).collect();
            for (rank, vertex) in row.iter().enumerate() {
                set(&mut self.rank, *vertex, rank);
            }
        }
        self.rows = rows;
    }

    /// Exchanges neighbours in a row where that saves crossings.
    fn exchange(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        for row in &mut rows {
            for right in 1..row.len() {
                let left = right.saturating_sub(1);
                let (a, b) = (get(row, left), get(row, right));
                let now = self.between(a, b);
                if now > 0 && self.between(b, a) < now {
                    row.swap(left, right);
                    set(&mut self.rank, a, right);
                    set(&mut self.rank, b, left);
                }
            }
        }
        self.rows = rows;
    }

    /// The crossings between the edges of two neighbours in a row.
    fn between(&self, left: usize, right: usize) -> usize {
        let mut crossings = 0usize;
        for near in [&self.above, &self.below] {
            for a in list(near, left) {
                let rank = get(&self.rank, *a);
                let crossed = list(near, right)
                    .iter()
                    .filter(|b| get(&self.rank, **b) < rank);
                crossings = crossings.saturating_add(crossed.count());
            }
        }
        crossings
    }

    /// All crossings: inversions between each row and the next, counted with a Fenwick tree.
    fn crossings(&self) -> usize {
        let mut crossings = 0usize;
        for (row, next) in self.rows.iter().zip(self.rows.iter().skip(1)) {
            let mut tree = vec![0usize; next.len().saturating_add(1)];
            let mut seen = 0usize;
            for upper in row {
                let mut ends: Vec<usize> = list(&self.below, *upper)
                    .iter()
                    .map(|v| get(&self.rank, *v))
                    .collect();
                ends.sort_unstable();
                for end in &ends {
                    let mut at = end.saturating_add(1);
                    let mut not_right = 0usize;
                    while at > 0 {
                        not_right = not_right.saturating_add(get(&tree, at));
                        at &= at.saturating_sub(1);
                    }
                    crossings = crossings.saturating_add(seen.saturating_sub(not_right));
                }
                for end in ends {
                    let mut at = end.saturating_add(1);
                    while at < tree.len() {
                        let count = get(&tree, at).saturating_add(1);
                        set(&mut tree, at, count);
                        at = at.saturating_add(at & at.wrapping_neg());
                    }
                    seen = seen.saturating_add(1);
                }
            }
        }
        crossings
    }

    fn is_bend(&self, vertex: usize) -> bool {
        vertex >= self.sizes.len()
    }

    fn half(&self, vertex: usize) -> f64 {
        get(self.sizes, vertex).width / 2.0
    }

    /// How far the middles of two neighbours must be apart.
    fn apart(&self, left: usize, right: usize) -> f64 {
        let gap = if self.is_bend(left) && self.is_bend(right) {
            BEND_GAP
        } else {
            NODE_GAP
        };
        self.half(left) + self.half(right) + gap
    }

    /// Finds the place across of everything.
    fn place(&mut self) {
        let rows = self.rows.clone();
        for row in &rows {
            self.fit(row, None);
        }
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                rows.iter().for_each(|row| self.fit(row, Some(Side::Above)));
            } else {
                rows.iter()
                    .rev()
                    .for_each(|row| self.fit(row, Some(Side::Below)));
            }
        }
        // What leads straight down is the most pleasant to read, so both sides have the last word.
        rows.iter()
            .rev()
            .for_each(|row| self.fit(row, Some(Side::Below)));
        rows.iter().for_each(|row| self.fit(row, Some(Side::Above)));
        let left = self.rows.iter().filter_map(|row| row.first());
        let left = left.map(|v| get(&self.x, *v) - self.half(*v));
        let left = left.fold(f64::INFINITY, f64::min);
        if left.is_finite() {
            self.x.iter_mut().for_each(|x| *x -= left);
        }
    }

    /// Puts a row as near as possible to its neighbours on one side, keeping its order and the gaps.
    fn fit(&mut self, row: &[usize], side: Option<Side>) {
        // Pools of neighbours that would overlap: the sum of weighted wishes, the weight, and how many they are.
        let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(row.len());
        let mut offsets = Vec::with_capacity(row.len());
        let mut offset = 0.0;
        let mut previous = None;
        for &vertex in row {
            if let Some(left) = previous {
                offset += self.apart(left, vertex);
            }
            previous = Some(vertex);
            offsets.push(offset);
            let near = match side {
                Some(Side::Above) => list(&self.above, vertex),
                Some(Side::Below) => list(&self.below, vertex),
                None => &[],
            };
            let sum: f64 = near.iter().map(|v| get(&self.x, *v)).sum();
            let wish = if near.is_empty() {
                get(&self.x, vertex)
            } else {
                sum / real(near.len())
            };
            let straight = self.is_bend(vertex) && near.iter().any(|v| self.is_bend(*v));
            let weight = if straight { 8.0 } else { 1.0 };
            let mut pool = ((wish - offset) * weight, weight, 1usize);
            while let Some(left) = pools.last() {
                if left.0 / left.1 <= pool.0 / pool.1 {
                    break;
                }
                pool = (
                    pool.0 + left.0,
                    pool.1 + left.1,
                    pool.2.saturating_add(left.2),
                );
                pools.pop();
            }
            pools.push(pool);
        }
        let places = pools.iter().flat_map(|(sum, weight, count)| {
            let place = sum / weight;
            std::iter::repeat_n(place, *count)
        });
        let places: Vec<f64> = places
            .zip(&offsets)
            .map(|(place, offset)| place + offset)
            .collect();
        for (vertex, x) in row.iter().zip(places) {
            set(&mut self.x, *vertex, x);
        }
    }

    fn finish(self, pairs: &[(usize, usize)], reversed: &[bool]) -> Layout {
        let mut top = 0.0;
        let mut spans = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let height = row.iter().map(|v| get(self.sizes, *v).height);
            let height = height.fold(0.0, f64::max);
            spans.push((top, top + height));
            top += height + LAYER_GAP;
        }
        let middle = |v: usize| {
            let (from, to) = get(&spans, get(&self.layer, v));
            (get(&self.x, v), (from + to) / 2.0)
        };
        let leaving = self.ports(pairs, true);
        let arriving = self.ports(pairs, false);
        let mut edges = Vec::with_capacity(pairs.len());
        for (edge, (&(from, to), chain)) in pairs.iter().zip(&self.chains).enumerate() {
            if from == to {
                edges.push(Vec::new());
                continue;
            }
            let (begin, end) = (middle(from), middle(to));
            let half = |v: usize| get(self.sizes, v).height / 2.0;
            let mut points = vec![(begin.0 + get(&leaving, edge), begin.1 + half(from))];
            for bend in chain.iter().filter(|v| self.is_bend(**v)) {
                let (upper, lower) = get(&spans, get(&self.layer, *bend));
                points.extend([(get(&self.x, *bend), upper), (get(&self.x, *bend), lower)]);
            }
            points.push((end.0 + get(&arriving, edge), end.1 - half(to)));
            if get(reversed, edge) {
                points.reverse();
            }
            edges.push(points);
        }
        let right = |v: usize| get(&self.x, v) + self.half(v);
        Layout {
            nodes: (0..self.sizes.len()).map(middle).collect(),
            edges,
            width: (0..self.x.len()).map(right).fold(0.0, f64::max),
            height: (top - LAYER_GAP).max(0.0),
        }
    }

    /// How far from the middle of its node each edge leaves (or arrives), so that edges do not lie on each other.
    fn ports(&self, pairs: &[(usize, usize)], leaving: bool) -> Vec<f64> {
        let mut of_node = vec![Vec::new(); self.sizes.len()];
        for (edge, (&(from, to), chain)) in pairs.iter().zip(&self.chains).enumerate() {
            let other = if leaving {
                chain.get(1)
            } else {
                chain.iter().rev().nth(1)
            };
            if let Some(other) = other.filter(|_| from != to) {
                let node = if leaving { from } else { to };
                push(&mut of_node, node, (get(&self.x, *other), edge));
            }
        }
        let mut ports = vec![0.0; pairs.len()];
        for (node, mut edges) in of_node.into_iter().enumerate() {
            let size = get(self.sizes, node);
            if size.round {
                continue;
            }
            edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let step = PORT.min(size.width * 0.7 / real(edges.len().max(1)));
            let first = -step * real(edges.len().saturating_sub(1)) / 2.0;
            for (index, (_, edge)) in edges.into_iter().enumerate() {
                set(&mut ports, edge, first + step * real(index));
            }
        }
        ports
    }
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Size = Size {
        width: 100.0,
        height: 40.0,
        round: false,
    };

    fn laid_out(nodes: usize, edges: &[(usize, usize)]) -> Layout {
        layout(&vec![BOX; nodes], edges).unwrap()
    }

    #[test]
    fn a_diamond_is_symmetrical_and_nothing_overlaps() {
        let of = laid_out(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        let (a, b, c, d) = (of.nodes[0], of.nodes[1], of.nodes[2], of.nodes[3]);
        assert!((a.0 - d.0).abs() < 0.001);
        assert!((a.0 - b.0 - (c.0 - a.0)).abs() < 0.001);
        assert!(c.0 - b.0 >= 100.0 + NODE_GAP - 0.001);
        assert!((b.1 - c.1).abs() < 0.001 && a.1 < b.1 && b.1 < d.1);
        assert!(of.width >= 232.0 && of.height >= 240.0);
    }

    #[test]
    fn crossings_that_can_be_avoided_are() {
        // Two ladders, given crosswise.
        let of = laid_out(6, &[(0, 3), (1, 2), (2, 4), (3, 5), (0, 3), (1, 2)]);
        assert_eq!(of.nodes[0].0 < of.nodes[1].0, of.nodes[3].0 < of.nodes[2].0);
        assert_eq!(of.nodes[2].0 < of.nodes[3].0, of.nodes[4].0 < of.nodes[5].0);
    }

    #[test]
    fn cycles_loops_and_parallel_edges_are_drawn() {
        let of = laid_out(3, &[(0, 1), (1, 2), (2, 0), (1, 1), (0, 1)]);
        assert!(of.nodes[0].1 < of.nodes[1].1 && of.nodes[1].1 < of.nodes[2].1);
        // The edge back begins at the lowest node and ends at the highest.
        let back = &of.edges[2];
        assert!(back.first().unwrap().1 > back.last().unwrap().1);
        assert!(back.len() > 2);
        assert!(of.edges[3].is_empty());
        assert_ne!(of.edges[0], of.edges[4]);
    }

    #[test]
    fn the_same_graph_always_looks_the_same_and_empty_ones_too() {
        let edges: Vec<(usize, usize)> = (0..200).map(|n| (n * 7 % 50, n * 13 % 50)).collect();
        let (a, b) = (laid_out(50, &edges), laid_out(50, &edges));
        assert_eq!(a.nodes, b.nodes);
        assert_eq!(a.edges, b.edges);
        for row in &a.nodes {
            assert!(row.0.is_finite() && row.1.is_finite() && row.0 >= 0.0);
        }
        assert!(laid_out(0, &[]).nodes.is_empty());
    }

    #[test]
    fn what_is_too_large_is_not_laid_out() {
        // Every node is joined to every tenth behind it: too many bends.
        let edges: Vec<(usize, usize)> = (0..3000).flat_map(|n| [(n, n + 1), (0, n + 1)]).collect();
        assert!(layout(&vec![BOX; 3001], &edges).is_none());
        let long: Vec<(usize, usize)> = (0..3000).map(|n| (n, n + 1)).collect();
        assert!(layout(&vec![BOX; 3001], &long).is_some());
    }
}
