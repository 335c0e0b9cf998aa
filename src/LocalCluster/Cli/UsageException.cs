namespace Opt.LocalCluster.Cli;

/// <summary>Something the user can mend; its message is all that is shown.</summary>
internal sealed class UsageException(string message) : Exception(message);
