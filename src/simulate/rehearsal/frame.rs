//! Frames of Modbus as a device sees them: questions out of bytes, answers into bytes.
//!
//! ```text
//!   TCP   transaction(2) 0 0 length(2) unit(1) │ function(1) …
//!   RTU                                unit(1) │ function(1) … │ crc(2, low byte first)
//! ```
//!
//! The server half alone, written apart from the client's: a mistake that both shared
//! would be seen by nobody. It takes in every function code, so that a question which
//! should never be asked is seen as well.

/// How frames are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// With the header of Modbus TCP.
    Tcp,
    /// With a checksum, by length.
    Rtu,
}

/// What somebody asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The transaction; zero on RTU, which has none.
    pub transaction: u16,
    /// The unit.
    pub unit: u8,
    /// The function code.
    pub fc: u8,
    /// First register or bit.
    pub address: u16,
    /// How many.
    pub count: u16,
}

/// What the first bytes of a buffer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Too few to say.
    More,
    /// So many belong to no frame.
    Garbage(usize),
    /// A question of so many bytes.
    Question(Question, usize),
}

/// Bytes before the unit in a frame of Modbus TCP.
const HEADER: usize = 6;

fn word(bytes: &[u8], at: usize) -> u16 {
    let byte = |at| bytes.get(at).copied().unwrap_or_default();
    u16::from_be_bytes([byte(at), byte(at + 1)])
}

/// Unit, function code and what follows them.
fn question(transaction: u16, rest: &[u8]) -> Question {
    let byte = |at| rest.get(at).copied().unwrap_or_default();
    Question {
        transaction,
        unit: byte(0),
        fc: byte(1),
        address: word(rest, 2),
        count: word(rest, 4),
    }
}

/// Finds the next question in what came so far.
#[must_use]
pub fn cut(framing: Framing, bytes: &[u8]) -> Cut {
    match framing {
        Framing::Tcp => cut_tcp(bytes),
        Framing::Rtu => cut_rtu(bytes),
    }
}

fn cut_tcp(bytes: &[u8]) -> Cut {
    if bytes.len() < HEADER {
        return Cut::More;
    }
    let length = usize::from(word(bytes, 4));
    if word(bytes, 2) != 0 || !(2..=254).contains(&length) {
        return Cut::Garbage(bytes.len());
    }
    match bytes.get(HEADER..HEADER + length) {
        Some(rest) => Cut::Question(question(word(bytes, 0), rest), HEADER + length),
        None => Cut::More,
    }
}

/// How long a question of RTU is, of which the first bytes are there.
fn rtu_length(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        // A write of several says how many bytes it brings.
        Some(15 | 16) => 9 + bytes.get(6).copied().map_or(0, usize::from),
        _ => 8,
    }
}

fn cut_rtu(bytes: &[u8]) -> Cut {
    for (skip, _) in bytes.iter().enumerate() {
        let rest = bytes.get(skip..).unwrap_or_default();
        let length = rtu_length(rest);
        let Some(frame) = rest.get(..length) else {
            // It may become one; a whole one behind it is one already.
            continue;
        };
        let (body, check) = frame.split_at(length - 2);
        if check == crc(body).to_le_bytes() {
            return match skip {
                0 => Cut::Question(question(0, body), length),
                skip => Cut::Garbage(skip),
            };
        }
    }
    Cut::More
}

/// The checksum of RTU: polynomial 0xA001, from 0xFFFF.
#[must_use]
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| {
            if sum & 1 == 1 {
                (sum >> 1) ^ 0xA001
            } else {
                sum >> 1
            }
        })
    })
}

/// A frame from its parts; on RTU the transaction goes nowhere.
#[must_use]
pub fn frame(framing: Framing, transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    match framing {
        Framing::Tcp => {
            let length = u16::try_from(pdu.len() + 1).unwrap_or(u16::MAX);
            let mut frame = Vec::from(transaction.to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(length.to_be_bytes());
            frame.push(unit);
            frame.extend(pdu);
            frame
        }
        Framing::Rtu => {
            let mut frame = vec![unit];
            frame.extend(pdu);
            frame.extend(crc(&frame).to_le_bytes());
            frame
        }
    }
}

/// What a device says with these words; for function codes 1 and 2 a word is a bit.
#[must_use]
pub fn answer(fc: u8, words: &[u16]) -> Vec<u8> {
    let data: Vec<u8> = if fc <= 2 {
        words.chunks(8).map(packed).collect()
    } else {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    };
    let mut pdu = vec![fc, u8::try_from(data.len()).unwrap_or(u8::MAX)];
    pdu.extend(data);
    pdu
}

/// Up to eight bits in a byte, the first one lowest.
fn packed(bits: &[u16]) -> u8 {
    let bits = bits.iter().enumerate();
    bits.fold(0, |byte, (n, bit)| byte | u8::from(bit & 1 == 1) << n)
}

/// A refusal.
#[must_use]
pub fn exception(fc: u8, code: u8) -> Vec<u8> {
    vec![fc | 0x80, code]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the serial line guide of modbus.org, and by two foreign programs.
    #[test]
    fn checksums_are_those_of_others() {
        assert_eq!(crc(&[0x02, 0x07]), 0x1241);
        assert_eq!(crc(&[0x01, 0x03, 0x00, 0x00, 0x00, 0x0A]), 0xCDC5);
        assert_eq!(crc(&[]), 0xFFFF);
    }

    const ASKED: Question = Question {
        transaction: 0x1234,
        unit: 0x11,
        fc: 3,
        address: 0x6B,
        count: 3,
    };
    const TCP: &[u8] = &[0x12, 0x34, 0, 0, 0, 6, 0x11, 3, 0, 0x6B, 0, 3];
    const RTU: &[u8] = &[0x11, 3, 0, 0x6B, 0, 3, 0x76, 0x87];

    #[test]
    fn a_question_is_found_whole() {
        let rtu = Question {
            transaction: 0,
            ..ASKED
        };
        assert_eq!(cut(Framing::Tcp, TCP), Cut::Question(ASKED, 12));
        assert_eq!(cut(Framing::Rtu, RTU), Cut::Question(rtu, 8));
        for (framing, bytes) in [(Framing::Tcp, TCP), (Framing::Rtu, RTU)] {
            for end in 0..bytes.len() {
                assert_eq!(cut(framing, &bytes[..end]), Cut::More, "{framing:?} {end}");
            }
            let two = [bytes, bytes].concat();
            assert!(
                matches!(cut(framing, &two), Cut::Question(_, length) if length == bytes.len())
            );
        }
    }

    #[test]
    fn what_is_no_frame_is_named() {
        let mut other = TCP.to_vec();
        other[3] = 1;
        assert_eq!(cut(Framing::Tcp, &other), Cut::Garbage(12));
        assert_eq!(cut(Framing::Tcp, &[0; 12]), Cut::Garbage(12));
        let noisy = [&[0xFF, 0x00][..], RTU].concat();
        assert_eq!(cut(Framing::Rtu, &noisy), Cut::Garbage(2));
        assert_eq!(cut(Framing::Rtu, &[0x55; 8]), Cut::More);
    }

    #[test]
    fn a_write_is_seen_too() {
        let body = [1, 16, 0, 5, 0, 2, 4, 0, 1, 0, 2];
        let bytes = frame(Framing::Rtu, 0, body[0], &body[1..]);
        let Cut::Question(asked, 13) = cut(Framing::Rtu, &bytes) else {
            panic!("{:?}", cut(Framing::Rtu, &bytes));
        };
        assert_eq!((asked.unit, asked.fc, asked.address), (1, 16, 5));
    }

    #[test]
    fn an_answer_is_what_the_specification_prints() {
        assert_eq!(
            answer(3, &[0x022B, 0, 0x64]),
            [3, 6, 2, 0x2B, 0, 0, 0, 0x64]
        );
        // Coils 20 to 38 of the example of function 1: CD 6B 05.
        let bits: Vec<u16> = [0xCD_u8, 0x6B, 0x05]
            .iter()
            .flat_map(|byte| (0..8).map(move |n| u16::from(byte >> n & 1)))
            .take(19)
            .collect();
        assert_eq!(answer(1, &bits), [1, 3, 0xCD, 0x6B, 0x05]);
        assert_eq!(exception(3, 2), [0x83, 2]);
        assert_eq!(frame(Framing::Tcp, 0x1234, 0x11, &[3, 0, 0x6B, 0, 3]), TCP);
        assert_eq!(frame(Framing::Rtu, 0x1234, 0x11, &[3, 0, 0x6B, 0, 3]), RTU);
    }
}
