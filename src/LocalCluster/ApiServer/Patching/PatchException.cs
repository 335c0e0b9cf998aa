namespace Opt.LocalCluster.ApiServer.Patching;

/// <summary>A patch cannot be applied: it is malformed, or does not fit the object.</summary>
public sealed class PatchException(string message, bool malformed) : Exception(message)
{
    /// <summary>The patch itself is not well-formed (400), as opposed to not fitting the object (422).</summary>
    public bool Malformed { get; } = malformed;
}
