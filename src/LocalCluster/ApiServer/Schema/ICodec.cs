using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>How objects of one kind come off the wire and go into the store.</summary>
public interface ICodec
{
    /// <summary>Reads a body: checks types, drops unknown fields (telling <paramref name="report"/>), fills defaults. The result is canonical.</summary>
    /// <exception cref="DecodeException">A value has the wrong type.</exception>
    JsonObject Decode(JsonObject body, DecodeReport? report);

    /// <summary>The stored form of a tree that has been edited since it was decoded.</summary>
    JsonObject Canonicalize(JsonObject item);
}
