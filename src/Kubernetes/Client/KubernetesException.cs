using System.Text.Json;

namespace Opt.Kubernetes;

/// <summary>
/// The API server refused a request, or no answer came. <see cref="Code"/> and <see cref="Reason"/> are the server's
/// (<c>409 Conflict</c>, <c>409 AlreadyExists</c>, <c>404 NotFound</c>, <c>410 Expired</c>, <c>422 Invalid</c>, ...).
/// </summary>
public sealed class KubernetesException : Exception
{
    public KubernetesException(V1Status status, string doing)
        : base($"{doing}: {status?.Message ?? "refused without a message"}{Causes(status)} ({status?.Code} {status?.Reason})")
    {
        ArgumentNullException.ThrowIfNull(status);
        Status = status;
        Code = status.Code ?? 0;
        Reason = status.Reason ?? "";
    }

    /// <summary>No answer: the connection failed or the deadline passed. Whether the server acted is unknown.</summary>
    public KubernetesException(string doing, Exception inner)
        : base($"{doing}: no answer from the API server: {inner?.Message}", inner)
    {
        Status = new V1Status { Status = "Failure", Message = Message, Reason = NoAnswer };
        Reason = NoAnswer;
    }

    /// <summary>The reason of an exception that has no answer of the server behind it.</summary>
    public const string NoAnswer = "NoAnswer";

    /// <summary>The HTTP status code, or 0 if there was no answer.</summary>
    public int Code { get; }

    public string Reason { get; }

    public V1Status Status { get; }

    /// <summary>How long the server asks to wait, from <c>Retry-After</c> or the status details.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>True if nobody knows whether the request took effect: no answer, or a gateway's error.</summary>
    public bool IsOutcomeUnknown => Code is 0 or 500 or 502 or 504;

    public bool IsNotFound => Code == 404;

    /// <summary>A stale resourceVersion, a failed precondition, or a server-side apply against another manager's field.</summary>
    public bool IsConflict => Code == 409 && Reason != "AlreadyExists";

    public bool IsAlreadyExists => Code == 409 && Reason == "AlreadyExists";

    /// <summary>The resourceVersion or the continue token is too old.</summary>
    public bool IsGone => Code == 410;

    /// <summary>The object is not valid; the same bytes will be refused again.</summary>
    public bool IsInvalid => Code is 400 or 422;

    /// <summary>True if the server names <paramref name="reason"/> among the causes, e.g. <c>DisruptionBudget</c>.</summary>
    public bool HasCause(string reason) => Status.Details?.Causes?.Any(c => c.Reason == reason) == true;

    internal static KubernetesException From(int code, ReadOnlySpan<byte> body, TimeSpan? retryAfter, string doing)
    {
        var status = Parse(body) ?? new V1Status { Status = "Failure", Message = $"HTTP {code}: {Excerpt(body)}" };
        if (status.Details?.RetryAfterSeconds is > 0 and { } seconds) retryAfter ??= TimeSpan.FromSeconds(seconds);
        return new(status with { Code = code, Reason = status.Reason ?? DefaultReason(code) }, doing) { RetryAfter = retryAfter };
    }

    private static V1Status? Parse(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, KubernetesJson.Default.V1Status) is { Kind: "Status" } status && status.Message is not null ? status : null;
        }
        catch (JsonException)
        {
            return null;   // a proxy's page, not the API server's answer
        }
    }

    private static string Excerpt(ReadOnlySpan<byte> body) => System.Text.Encoding.UTF8.GetString(body[..Math.Min(body.Length, 200)]).Trim();

    private static string DefaultReason(int code) => code switch
    {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        409 => "Conflict",
        410 => "Gone",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        >= 500 => "InternalError",
        _ => "Unknown",
    };

    private static string Causes(V1Status? status)
    {
        var causes = status?.Details?.Causes?.Select(c => c.Field is null ? c.Message : $"{c.Field}: {c.Message}").ToArray() ?? [];
        return causes.Length == 0 || causes.All(c => c is null || status!.Message?.Contains(c, StringComparison.Ordinal) == true) ? "" : $" [{string.Join("; ", causes)}]";
    }
}
