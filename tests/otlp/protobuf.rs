//! As much of protocol buffers as it takes to read spans.

/// The fields of one message: their numbers, and what they hold.
pub(crate) struct Message<'a>(Vec<(u64, Held<'a>)>);

enum Held<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    pub(crate) fn read(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = number(&mut bytes);
            let held = match key & 7 {
                0 => Held::Number(number(&mut bytes)),
                1 => Held::Bytes(take(&mut bytes, 8)),
                2 => {
                    let length = number(&mut bytes);
                    Held::Bytes(take(&mut bytes, usize::try_from(length).unwrap()))
                }
                5 => Held::Bytes(take(&mut bytes, 4)),
                kind => panic!("no wire type: {kind}"),
            };
            fields.push((key >> 3, held));
        }
        Self(fields)
    }

    /// What all fields of this number hold.
    pub(crate) fn all(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |field| match field {
            (found, Held::Bytes(bytes)) if *found == number => Some(*bytes),
            _ => None,
        })
    }

    pub(crate) fn messages(&self, number: u64) -> impl Iterator<Item = Message<'a>> {
        self.all(number).map(Message::read)
    }

    pub(crate) fn bytes(&self, number: u64) -> &'a [u8] {
        self.all(number).next().unwrap_or_default()
    }

    pub(crate) fn text(&self, number: u64) -> String {
        String::from_utf8(self.bytes(number).to_vec()).unwrap()
    }

    pub(crate) fn number(&self, number: u64) -> Option<u64> {
        self.0.iter().find_map(|field| match field {
            (found, Held::Number(value)) if *found == number => Some(*value),
            _ => None,
        })
    }
}

fn number(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}
