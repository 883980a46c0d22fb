//! Authenticated encryption of warehouse secrets (AES-256-GCM under a sub-key of the keyring).
//!
//! The sealed bytes are the key's id (4 bytes, big-endian), a random nonce (12) and the
//! ciphertext with its tag. What they belong to is authenticated along, so that a sealed value
//! cannot be moved to another row or field.

use aws_lc_rs::{
    aead::{Aad, Nonce},
    rand,
};
use zeroize::Zeroizing;

use crate::{Keyring, StoreError};

/// Where a sealed value belongs: a table, a row's id and a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The table.
    pub table: &'static str,
    /// The row's id.
    pub id: i64,
    /// The field.
    pub field: &'static str,
}

impl Place {
    /// `table:id:field`
    fn text(self) -> String {
        format!("{}:{}:{}", self.table, self.id, self.field)
    }
}

/// Seals a secret for its place.
///
/// # Errors
/// [`StoreError::Unavailable`] if the machine gives no random bytes.
pub(crate) fn seal(keyring: &Keyring, place: Place, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
    let failed = |_| StoreError::Unavailable("a secret could not be sealed".to_owned());
    let keys = keyring.newest();
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).map_err(failed)?;
    // Room for the tag, so that the plain text is not left behind by a move.
    let mut text = Zeroizing::new(Vec::with_capacity(secret.len() + TAG_LEN));
    text.extend_from_slice(secret);
    keys.seal()
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place.text()),
            &mut *text,
        )
        .map_err(failed)?;
    Ok([&keys.id().to_be_bytes()[..], &nonce, &text].concat())
}

/// Opens what was sealed for this place.
///
/// # Errors
/// [`StoreError::Corrupt`] if it was sealed for another place, was changed, or its key is gone.
pub(crate) fn open(
    keyring: &Keyring,
    place: Place,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let broken =
        || StoreError::Corrupt(format!("the secret of `{}` cannot be opened", place.text()));
    let (id, rest) = sealed.split_first_chunk::<4>().ok_or_else(broken)?;
    let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
    let keys = keyring.key(u32::from_be_bytes(*id).into()).ok_or_else(broken)?;
    let mut text = Zeroizing::new(text.to_vec());
    let aad = Aad::from(place.text());
    let plain = keys
        .seal()
        .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text)
        .map_err(|_| broken())?;
    Ok(Zeroizing::new(plain.to_vec()))
}

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const PLACE: Place = Place { table: "warehouse_credentials", id: 7, field: "secret" };

    fn keyring() -> Keyring {
        let folder = tempfile::TempDir::new().unwrap();
        Keyring::load_or_create(&folder.path().join("keyring.json")).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_place_alone(secret in vec(any::<u8>(), 0..200)) {
            let keyring = keyring();
            let sealed = seal(&keyring, PLACE, &secret).unwrap();
            prop_assert_eq!(&*open(&keyring, PLACE, &sealed).unwrap(), &secret);
            for other in [
                Place { id: 8, ..PLACE },
                Place { table: "connections", ..PLACE },
                Place { field: "password", ..PLACE },
            ] {
                prop_assert!(open(&keyring, other, &sealed).is_err());
            }
        }

        #[test]
        fn a_flipped_bit_or_a_missing_byte_is_found(
            secret in vec(any::<u8>(), 0..40),
            bit in any::<proptest::sample::Index>(),
        ) {
            let keyring = keyring();
            let sealed = seal(&keyring, PLACE, &secret).unwrap();
            let bit = bit.index(sealed.len() * 8);
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(&keyring, PLACE, &flipped).is_err());
            prop_assert!(open(&keyring, PLACE, &sealed[..bit / 8]).is_err());
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_the_same_way() {
        let keyring = keyring();
        let sealed = || seal(&keyring, PLACE, b"swordfish").unwrap();
        assert_ne!(sealed(), sealed());
        assert!(!sealed().windows(9).any(|window| window == b"swordfish"));
    }

    #[test]
    fn another_keyring_does_not_open_it() {
        let sealed = seal(&keyring(), PLACE, b"swordfish").unwrap();
        let refused = open(&keyring(), PLACE, &sealed).unwrap_err();
        let said =
            "the store is damaged: the secret of `warehouse_credentials:7:secret` cannot be opened";
        assert_eq!(refused.to_string(), said);
    }
}
