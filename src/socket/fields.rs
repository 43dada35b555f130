//! A block of header fields (RFC 7541), and the names of hosts in it.

/// The static table's index of `:authority` (RFC 7541, Appendix A).
const AUTHORITY: usize = 1;

/// How many codes of the Huffman code have 0, 1, 2 … bits (RFC 7541, Appendix B). The code is canonical, so that is all
/// that is needed to tell where one code ends and the next begins. The last code, which ends a string, is no symbol and
/// never sent.
const CODES: [u32; 31] = [
    0, 0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19,
    29, 0, 3,
];

/// The block with every literal `:authority` replaced by as many letters; nothing where none is, or it is no block.
pub(super) fn with_plain_authority(block: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { block, at: 0 };
    let (mut changed, mut copied) = (Vec::new(), 0);
    while let Some(first) = block.get(reader.at) {
        let index = match first {
            0x80..=0xff => {
                reader.number(7)?;
                continue;
            }
            0x20..=0x3f => {
                reader.number(5)?;
                continue;
            }
            0x40..=0x7f => reader.number(6)?,
            0x00..=0x1f => reader.number(4)?,
        };
        let is_authority = match index {
            0 => {
                let (name, coded) = reader.string()?;
                !coded && name == b":authority"
            }
            known => known == AUTHORITY,
        };
        let begins = reader.at;
        let (value, coded) = reader.string()?;
        let length = if coded { decoded(value)? } else { value.len() };
        if is_authority && length > 0 {
            changed.extend_from_slice(block.get(copied..begins)?);
            number(length, &mut changed);
            changed.resize(changed.len() + length, b'x');
            copied = reader.at;
        }
    }
    (copied > 0).then(|| {
        changed.extend_from_slice(block.get(copied..).unwrap_or_default());
        changed
    })
}

struct Reader<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// An integer whose first byte has so many bits for it (§5.1).
    fn number(&mut self, bits: u32) -> Option<usize> {
        let most = (1_usize << bits) - 1;
        let first = usize::from(*self.block.get(self.at)?) & most;
        self.at += 1;
        if first < most {
            return Some(first);
        }
        let mut number = most;
        for shift in [0, 7, 14, 21] {
            let byte = usize::from(*self.block.get(self.at)?);
            self.at += 1;
            number += (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// The bytes of a string, and whether they are Huffman codes (§5.2).
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        let coded = self.block.get(self.at)? & 0x80 != 0;
        let length = self.number(7)?;
        let bytes = self.block.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some((bytes, coded))
    }
}

/// Writes the length of a string that is not coded (§5.1, with a prefix of seven bits).
fn number(number: usize, to: &mut Vec<u8>) {
    let byte = |n: usize| u8::try_from(n).unwrap_or_default();
    if number < 127 {
        to.push(byte(number));
        return;
    }
    to.push(127);
    let mut rest = number - 127;
    while rest >= 128 {
        to.push(byte(rest % 128 + 128));
        rest /= 128;
    }
    to.push(byte(rest));
}

/// How many bytes a Huffman-coded string stands for.
fn decoded(coded: &[u8]) -> Option<usize> {
    let bits = coded
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u32::from(byte >> bit & 1)));
    let (mut symbols, mut code, mut first, mut length) = (0, 0_u32, 0_u32, 0_usize);
    let mut padding = true;
    for bit in bits {
        code = code << 1 | bit;
        first <<= 1;
        length += 1;
        padding &= bit == 1;
        let codes = *CODES.get(length)?;
        if code - first < codes {
            symbols += 1;
            (code, first, length, padding) = (0, 0, 0, true);
        } else {
            first += codes;
        }
    }
    // Less than a byte of ones fills the last one.
    (length < 8 && padding).then_some(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7541, Appendix C.4 and C.6.
    #[test]
    fn the_length_behind_huffman_codes_is_found() {
        for (hex, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("aec3771a4b", "private"),
            (
                "d07abe941054d444a8200595040b8166e082a62d1bff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (
                "9d29ad171863c78f0b97c8e9ae82ae43d3",
                "https://www.example.com",
            ),
            (
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ),
        ] {
            let coded = hex::decode(hex).unwrap();
            assert_eq!(decoded(&coded), Some(text.len()), "{text}");
        }
        assert_eq!(decoded(&[0x00]), None, "padding is of ones");
        assert_eq!(decoded(&[0xff; 8]), None, "the end of string is no symbol");
    }

    /// RFC 7541, C.3.1 and C.4.1: a first request without and with Huffman codes.
    #[test]
    fn only_the_authority_is_replaced_and_by_as_many_letters() {
        let name = b"xxxxxxxxxxxxxxx";
        for hex in [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        ] {
            let block = hex::decode(hex).unwrap();
            let mut expected = hex::decode("828684410f").unwrap();
            expected.extend(name);
            assert_eq!(with_plain_authority(&block), Some(expected));
        }
        // C.3.2: from the table of the connection; C.2.1, C.2.3: other literals.
        for hex in [
            "828684be58086e6f2d6361636865",
            "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            "100870617373776f726406736563726574",
        ] {
            assert_eq!(with_plain_authority(&hex::decode(hex).unwrap()), None);
        }
    }

    #[test]
    fn a_name_that_is_written_out_counts_too_and_nonsense_is_left_alone() {
        let mut block = vec![0x00, 10];
        block.extend(b":authority");
        block.extend([200 - 73, 73]);
        block.extend([b'%'; 200]);
        block.push(0x82);
        let changed = with_plain_authority(&block).unwrap();
        assert_eq!(changed.len(), block.len());
        assert!(changed.ends_with(&[b'x', 0x82]) && !changed.contains(&b'%'));
        for bad in [
            &[0x41][..],
            &[0x41, 5, b'a'],
            &[0x41, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0xff],
            &[0x41, 0x81, 0x00],
        ] {
            assert_eq!(with_plain_authority(bad), None, "{bad:?}");
        }
    }
}
