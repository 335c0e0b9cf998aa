namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>What strict decoding found: unknown and repeated fields, in the order met.</summary>
public sealed class DecodeReport
{
    private readonly List<string> _findings = [];

    public IReadOnlyList<string> Findings => _findings;

    public void Unknown(string path) => _findings.Add($"unknown field \"{path}\"");

    public void Duplicate(string path) => _findings.Add($"duplicate field \"{path}\"");
}

/// <summary>A value cannot be read as the type it must have. The message is Go's.</summary>
public sealed class DecodeException(string message) : Exception(message);
