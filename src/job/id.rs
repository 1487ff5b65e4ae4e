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

#[cfg(test)]
mod tests {
    use super::*;

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
