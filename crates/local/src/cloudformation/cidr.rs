//! `Fn::Cidr`: an address block cut into smaller ones.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-cidr.html>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::cloudformation::intrinsics::text;

const SHAPE: &str = "Template error: every Fn::Cidr object requires an IP block, a count of 1 to 256 and the number of \
                     bits of each CIDR, in that order";

/// An address block: its first address as a number, how many bits addresses have, and how many of them are the block's.
#[derive(Debug, Clone, Copy)]
struct Block {
    first: u128,
    width: u32,
    prefix: u32,
}

/// The list of blocks, from `[ipBlock, count, cidrBits]` with every value known.
///
/// # Errors
/// What is wrong with the arguments.
pub(super) fn cidr(argument: &Value) -> Result<Value, String> {
    let parts: Vec<String> = argument.as_array().into_iter().flatten().filter_map(text).collect();
    let (block, count, bits) = match parts.as_slice() {
        [block, count, bits] => (block, count, Some(bits)),
        [block, count] => (block, count, None),
        _ => return Err(SHAPE.to_owned()),
    };
    let whole = Block::read(block).ok_or_else(|| format!("Template error: `{block}` in Fn::Cidr is no CIDR block"))?;
    let count = count.parse().ok().filter(|count| (1..=256_u32).contains(count)).ok_or(SHAPE)?;
    // Without a number of bits, blocks have those of the smallest subnet that they usually are.
    let bits =
        bits.map_or(Ok(if whole.width == 32 { 8 } else { 64 }), |bits| bits.parse::<u32>().map_err(|_| SHAPE))?;
    let prefix = whole.width.checked_sub(bits).filter(|prefix| *prefix >= whole.prefix);
    let prefix = prefix.filter(|prefix| prefix - whole.prefix >= 8 || count <= 1 << (prefix - whole.prefix));
    let prefix = prefix
        .ok_or_else(|| format!("Template error: Fn::Cidr cannot cut {count} blocks of {bits} bits out of `{block}`"))?;
    Ok((0..count).map(|number| Value::from(whole.part(number, prefix))).collect())
}

impl Block {
    fn read(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u32 = prefix.parse().ok()?;
        let (first, width): (u128, u32) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let host = width.checked_sub(prefix).filter(|host| *host <= width)?;
        // What lies beyond the prefix is not part of the block's name.
        let first = first.checked_shr(host).unwrap_or_default().checked_shl(host).unwrap_or_default();
        Some(Self { first, width, prefix })
    }

    fn part(self, number: u32, prefix: u32) -> String {
        let size = 1_u128.checked_shl(self.width - prefix).unwrap_or_default();
        let first = self.first.wrapping_add(u128::from(number).wrapping_mul(size));
        match u32::try_from(first) {
            Ok(first) if self.width == 32 => format!("{}/{prefix}", Ipv4Addr::from_bits(first)),
            _ => format!("{}/{prefix}", Ipv6Addr::from_bits(first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::cidr;

    #[test]
    fn a_block_is_cut_into_equal_parts() {
        let cut = |argument| cidr(&argument).expect("it can be cut");
        assert_eq!(
            cut(json!(["192.168.0.0/24", 3, 5])),
            json!(["192.168.0.0/27", "192.168.0.32/27", "192.168.0.64/27"])
        );
        assert_eq!(cut(json!(["10.1.2.3/16", "2", "8"])), json!(["10.1.0.0/24", "10.1.1.0/24"]));
        assert_eq!(cut(json!(["2001:db8::/56", 2, 64])), json!(["2001:db8::/64", "2001:db8:0:1::/64"]));
        assert_eq!(cut(json!(["0.0.0.0/0", 1, 32])), json!(["0.0.0.0/0"]));
        assert_eq!(cut(json!(["::/0", 1, 128])), json!(["::/0"]));
    }

    #[test]
    fn what_cannot_be_cut_is_told() {
        for argument in [
            json!(["10.0.0.0/24", 9, 5]),
            json!(["10.0.0.0/24", 1, 9]),
            json!(["10.0.0.0/24", 1, 33]),
            json!(["10.0.0.0/24", 0, 5]),
            json!(["10.0.0.0/24", 257, 0]),
            json!(["10.0.0.0/33", 1, 1]),
            json!(["10.0.0.0", 1, 1]),
            json!(["a", 1, 1]),
            json!("10.0.0.0/24"),
        ] {
            assert!(cidr(&argument).is_err(), "{argument}");
        }
    }
}
