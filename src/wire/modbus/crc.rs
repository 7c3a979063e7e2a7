//! The checksum of RTU frames: CRC-16 with the polynomial 0xA001, low byte first.

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let mut rest: &mut [u16] = &mut table;
    let mut index = 0_u16;
    while let Some((entry, others)) = rest.split_first_mut() {
        let mut crc = index;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xA001
            } else {
                crc >> 1
            };
            bit += 1;
        }
        *entry = crc;
        index += 1;
        rest = others;
    }
    table
}

/// The two bytes that close a frame.
pub fn crc(bytes: &[u8]) -> [u8; 2] {
    let crc = bytes.iter().fold(0xFFFF_u16, |crc, byte| {
        let [_, low] = crc.to_be_bytes();
        let entry = TABLE.get(usize::from(low ^ byte)).copied();
        (crc >> 8) ^ entry.unwrap_or_default()
    });
    crc.to_le_bytes()
}

/// Whether a frame ends with its own checksum.
pub fn closes(frame: &[u8]) -> bool {
    frame
        .split_last_chunk::<2>()
        .is_some_and(|(body, end)| !body.is_empty() && crc(body) == *end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_others_come_out() {
        // The catalogue's check value, and frames of the specification and of manuals.
        assert_eq!(crc(b"123456789"), 0x4B37_u16.to_le_bytes());
        for frame in [
            &[0x01, 0x03, 0x00, 0x00, 0x00, 0x0A, 0xC5, 0xCD][..],
            &[0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87],
            &[0x01, 0x04, 0x02, 0xFF, 0xFF, 0xB8, 0x80],
            &[0x0A, 0x81, 0x02, 0xB0, 0x53],
        ] {
            assert!(closes(frame), "{frame:02x?}");
        }
        assert!(!closes(&[0xFF, 0xFF]));
        assert!(!closes(&[1]));
    }
}
