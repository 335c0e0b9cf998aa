using System.Net;

namespace Opt.Operator.Agents;

/// <summary>An agent refused, or did not answer.</summary>
public sealed class AgentException : Exception
{
    public AgentException(string message, HttpStatusCode? status = null, Exception? inner = null)
        : base(message, inner) => Status = status;

    /// <summary>Its answer; null when none came.</summary>
    public HttpStatusCode? Status { get; }

    /// <summary>It knows a higher epoch, or another plan of this one, or the store is not ours.</summary>
    public bool IsConflict => Status is HttpStatusCode.Conflict;
}
