//! What a report cannot show. The same words in each.

/// A sentence each.
pub(super) const LIMITS: [&str; 9] = [
    "It rests on one ledger, kept by the controller's own installation of retentiond. It shows what that ledger holds; it is no certificate of a third party.",
    "What was never recorded is not in it: Extracta.ai offers no list of all documents, so files that were uploaded past the ledger can be in neither its figures nor its exceptions.",
    "A deletion is shown as confirmed when Extracta.ai answered so by code and body, and as verified when a later look did not find the file. Neither proves that backups, logs or copies at the processor, or with its own sub-processors, were erased.",
    "Copies that anybody made outside Extracta.ai (downloads, exports, mail) are not known to it.",
    "The time of an end is when it was on record here, by this machine's clock, which is held against a second clock and the processor's own; the file was gone at that time or earlier.",
    "Rules and their start dates are taken as the controller stated them. Whether a period is lawful, and whether an upload time was declared truly, is not examined.",
    "How files stand (held, unknown, failed, verified) is told as of the time at which the report was made, also for a period that ended earlier. A file found still there after a confirmation counts as not deleted from then on.",
    "Scheduled instants without a sweep are looked for by the schedules of the rules in force as the ledger keeps them; a schedule that was changed without changing any period is known only as it was last.",
    "A cause is what the ledger shows to have stood in the way between due time and end. Where several did, the first in the order of docs/report.md is named.",
];
