//! Server-sent events: pieces of bytes in, the data of whole events out.

/// Takes pieces as they come and gives events as they are whole.
#[derive(Debug, Default)]
pub(super) struct Events {
    buffer: Vec<u8>,
    /// The data of the event whose end has not come yet.
    data: Option<String>,
}

impl Events {
    /// Takes a piece and hands the data of each event that is whole now on; stops at the first
    /// that `take` does not want.
    pub(super) fn feed<E>(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.buffer.extend_from_slice(piece);
        let mut from = 0;
        while let Some(length) = self.buffer[from..].iter().position(|byte| *byte == b'\n') {
            let line = self.buffer[from..from + length].trim_ascii_end().to_vec();
            from += length + 1;
            if let Some(data) = self.line(&line) {
                take(&data)?;
            }
        }
        self.buffer.drain(..from);
        Ok(())
    }

    /// The last event, where its end was left out.
    pub(super) fn rest(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.buffer);
        self.line(line.trim_ascii_end());
        self.data.take()
    }

    /// One line; the data of the event that it ends.
    fn line(&mut self, line: &[u8]) -> Option<String> {
        if line.is_empty() {
            return self.data.take();
        }
        // The other fields say nothing that the data do not say.
        let data = line.strip_prefix(b"data:")?;
        let data = data.strip_prefix(b" ").unwrap_or(data);
        let text = String::from_utf8_lossy(data);
        match &mut self.data {
            Some(whole) => {
                whole.push('\n');
                whole.push_str(&text);
            }
            None => self.data = Some(text.into_owned()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_whole_however_the_bytes_are_cut() {
        let bytes =
            "event: x\ndata: {\"a\":1}\n\n: ping\r\ndata:b\r\ndata: 你好\r\n\r\n\ndata: [DONE]";
        let expected = ["{\"a\":1}", "b\n你好", "[DONE]"];
        for size in [1, 2, 3, 7, 1000] {
            let (mut events, mut found) = (Events::default(), Vec::new());
            for piece in bytes.as_bytes().chunks(size) {
                let taken: Result<(), ()> = events.feed(piece, |data| {
                    found.push(data.to_owned());
                    Ok(())
                });
                taken.unwrap();
            }
            found.extend(events.rest());
            assert_eq!(found, expected, "pieces of {size}");
        }
    }
}
