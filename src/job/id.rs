//! Names of jobs and creates.

/// Crockford's base32, lower case: no letters that are taken for digits on a screen.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new job key: 10 characters at random. Its first six are what people type; the ledger
/// refuses a key whose first six exist already.
pub fn new_job_key() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 10];
    getrandom::fill(&mut bytes)?;
    Ok(spell(&bytes))
}

/// The run digest of a request that is paid for anew, from the second time on; that of the first
/// is the digest itself.
pub fn generation(run_digest: &str, number: u32) -> String {
    match number {
        0 | 1 => run_digest.to_owned(),
        _ => crate::base::hex(format!("{run_digest} g{number}").as_bytes()),
    }
}

/// Ten characters out of a digest, for request files that belong to no job: the same input and
/// options give the same ids.
pub fn key_of_digest(digest_hex: &str) -> String {
    let bytes: Vec<u8> = blake3::hash(digest_hex.as_bytes()).as_bytes()[..10].to_vec();
    spell(&bytes)
}

fn spell(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// The name of one create, used as upload name and in the batch's metadata:
/// `bc1-<job>-r1-s0003-c1`. It is how a lost batch is found again.
pub fn create_key(job: &str, shard_stem: &str, attempt: u32) -> String {
    format!("bc1-{job}-{shard_stem}-c{attempt}")
}

/// What a create key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CreateName {
    /// The job's ten characters.
    pub(super) job: String,
    /// The round of its shard.
    pub(super) round: u32,
    /// The number of its shard within the round.
    pub(super) number: u64,
    /// The number of the create.
    pub(super) attempt: u32,
}

impl CreateName {
    /// Reads a create key by its exact pattern; `None` for every other text.
    pub(super) fn parse(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix("bc1-")?.split('-');
        let job = parts.next()?;
        let number = |part: Option<&str>, letter| part?.strip_prefix(letter)?.parse().ok();
        let round = number(parts.next(), 'r')?;
        let shard = number(parts.next(), 's')?;
        let attempt = number(parts.next(), 'c')?;
        let (round, attempt) = (u32::try_from(round).ok()?, u32::try_from(attempt).ok()?);
        let name = Self { job: job.to_owned(), round, number: shard, attempt };
        let is_job = job.len() == 10 && job.bytes().all(|byte| ALPHABET.contains(&byte));
        // Written again it must be the same text: `c01` and `c+1` are nobody's.
        (is_job && name.to_string() == key && round > 0).then_some(name)
    }
}

impl std::fmt::Display for CreateName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { job, round, number, attempt } = self;
        write!(f, "bc1-{job}-r{round}-s{number:04}-c{attempt}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_keys_read_back_and_nothing_else_does() {
        for (round, number, attempt) in [(1, 3, 1), (12, 12_345, 20)] {
            let name = CreateName { job: "k7f2qd0000".into(), round, number, attempt };
            assert_eq!(CreateName::parse(&name.to_string()), Some(name));
        }
        let key = create_key("k7f2qd0000", "r1-s0003", 2);
        assert_eq!(CreateName::parse(&key).map(|name| name.to_string()), Some(key));
        for text in [
            "",
            "bc1-k7f2qd-r1-s0003-c1",
            "bc1-k7f2qd000u-r1-s0003-c1",
            "bc2-k7f2qd0000-r1-s0003-c1",
            "bc1-k7f2qd0000-r1-s3-c1",
            "bc1-k7f2qd0000-r0-s0003-c1",
            "bc1-k7f2qd0000-r1-s0003-c01",
            "bc1-k7f2qd0000-r1-s0003-c1-x",
            "bc1-k7f2qd0000-r1-s0003",
            "bc1-../../etc-r1-s0003-c1",
        ] {
            assert_eq!(CreateName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn keys_are_ten_unmistakable_characters() {
        let key = new_job_key().unwrap();
        assert_eq!(key.len(), 10);
        assert!(key.bytes().all(|byte| ALPHABET.contains(&byte)), "{key}");
        assert_eq!(key_of_digest("aa"), key_of_digest("aa"));
        assert_ne!(key_of_digest("aa"), key_of_digest("ab"));
        assert_eq!(generation("aa", 1), "aa");
        assert_ne!(generation("aa", 2)[..16], generation("aa", 3)[..16], "they stand in metadata");
        assert_eq!(create_key("k7f2qd0000", "r1-s0003", 2), "bc1-k7f2qd0000-r1-s0003-c2");
    }
}
