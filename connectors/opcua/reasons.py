"""From what asyncua raises to what a person is told, and whether one is needed."""

from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography.exceptions import InvalidSignature

from config.connections import OpcUaSource
from connectors.errors import NotConnected
from connectors.opcua.client import ReadableToken, UnofferedToken
from connectors.unreachable import unreachable

_OF_THE_USER: Final = frozenset(
    {
        ua.StatusCodes.BadIdentityTokenInvalid,
        ua.StatusCodes.BadIdentityTokenRejected,
        ua.StatusCodes.BadUserAccessDenied,
        ua.StatusCodes.BadUserSignatureInvalid,
        ua.StatusCodes.BadIdentityChangeNotSupported,
    }
)
_OF_THE_SECURITY: Final = frozenset(
    {ua.StatusCodes.BadSecurityModeRejected, ua.StatusCodes.BadSecurityPolicyRejected}
)
_OF_OUR_CERTIFICATE: Final = frozenset(
    {
        ua.StatusCodes.BadSecurityChecksFailed,
        ua.StatusCodes.BadCertificateInvalid,
        ua.StatusCodes.BadCertificateTimeInvalid,
        ua.StatusCodes.BadCertificateIssuerTimeInvalid,
        ua.StatusCodes.BadCertificateHostNameInvalid,
        ua.StatusCodes.BadCertificateUriInvalid,
        ua.StatusCodes.BadCertificateUseNotAllowed,
        ua.StatusCodes.BadCertificateUntrusted,
        ua.StatusCodes.BadCertificateRevoked,
        ua.StatusCodes.BadCertificateChainIncomplete,
        ua.StatusCodes.BadCertificatePolicyCheckFailed,
        ua.StatusCodes.BadNonceInvalid,
    }
)


def status_name(status: int) -> str:
    """Return the specification's name of a status code, e.g. ``BadTimeout``."""
    return str(ua.StatusCode(ua.UInt32(status)).name)


def status_of(exc: BaseException) -> str:
    """Return the name of the status an error carries, empty if it carries none."""
    return status_name(exc.code) if isinstance(exc, UaStatusCodeError) else ""


def explain(exc: Exception, options: OpcUaSource, own_certificate: str) -> NotConnected:
    """Return what a failure means; `own_certificate` names the file a server's owner must trust."""
    if isinstance(exc, OSError) and not isinstance(exc, TimeoutError | ConnectionResetError):
        return unreachable(options.endpoint, exc)
    reason, needs_a_person = _reason(exc, options, own_certificate)
    return NotConnected(f"{options.endpoint} {reason}", needs_a_person=needs_a_person)


def _reason(exc: Exception, options: OpcUaSource, own_certificate: str) -> tuple[str, bool]:
    if isinstance(exc, UaStatusCodeError):
        return _refusal(exc, options, own_certificate)
    match exc:
        case UnofferedToken():
            return f"takes no user of kind {exc}", True
        case ReadableToken():
            return f"would have the {exc} token sent readable for others; use mode SignAndEncrypt", True
        case InvalidSignature():
            return "can't prove that its certificate is its own", True
        case AssertionError():
            reason = "does not open a secure channel"
        case TimeoutError():
            reason = f"did not answer in {options.timeout / 1e9:g} s"
        case ConnectionResetError():
            reason = "broke off the connection; check that an OPC UA server listens there"
        case _:
            reason = f"does not speak as it should: {exc}"
    return reason, False


def _refusal(exc: UaStatusCodeError, options: OpcUaSource, own_certificate: str) -> tuple[str, bool]:
    status = status_of(exc)
    if exc.code in _OF_THE_USER:
        who = "anonymous users" if options.user is None else "this user"
        return f"does not let {who} in: {status}; check `user`", True
    if exc.code in _OF_THE_SECURITY:
        asked = "without security" if options.security.policy == "none" else "with this `security`"
        return f"takes no connection {asked}: {status}; write in `security` what the server offers", True
    if exc.code in _OF_OUR_CERTIFICATE:
        return f"refuses the gateway's certificate: {status}; have it trusted there: {own_certificate}", True
    return f"refuses: {status}", False
