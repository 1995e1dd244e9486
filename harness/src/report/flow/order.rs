//! Which node stands where: the nodes of a wire as near to each other as they can.

/// Nodes whose orders can all be tried: 7! are 5040.
const TRIED: usize = 7;

/// The best order of `count` nodes that are joined by these wires: that in which wires are shortest, and of those the first one,
/// as whoever wrote the scenario named nodes in an order of his own.
#[must_use]
pub fn order(count: usize, wires: &[[usize; 2]]) -> Vec<usize> {
    let written: Vec<usize> = (0..count).collect();
    if count > TRIED {
        return written;
    }
    let length = |order: &[usize]| -> usize {
        let place = |node: usize| order.iter().position(|other| *other == node).unwrap_or_default();
        wires.iter().map(|[a, b]| place(*a).abs_diff(place(*b))).sum()
    };
    let (mut best, mut least) = (written.clone(), length(&written));
    let mut order = written;
    while next(&mut order) {
        let length = length(&order);
        if length < least {
            (best, least) = (order.clone(), length);
        }
    }
    best
}

/// The next order in the order of dictionaries; `false` after the last.
fn next(order: &mut [usize]) -> bool {
    let Some(turn) = (1..order.len()).rfind(|index| order[index - 1] < order[*index]) else { return false };
    let swap = (turn..order.len()).rfind(|index| order[*index] > order[turn - 1]).unwrap_or(turn);
    order.swap(turn - 1, swap);
    order[turn..].reverse();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_between_two_others_stands_between_them() {
        assert_eq!(order(3, &[[0, 2], [2, 1]]), [0, 2, 1]);
    }

    #[test]
    fn nodes_stay_as_written_where_no_other_order_is_shorter() {
        assert_eq!(order(4, &[[0, 1], [1, 2], [1, 3]]), [0, 1, 2, 3]);
    }
}
