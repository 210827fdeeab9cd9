"""The GLSL of the renderer. Light is added up in linear units and leaves as display values.

Textures say where a material has its second and third colour (red, green) and how uneven it is (blue, for the bumps).
"""

from __future__ import annotations

MATERIALS = 40
"""Materials one draw call may use."""

_FRAGMENT_INTERFACE = """
in vec3 v_world; in vec3 v_normal; in vec2 v_tex; in float v_edge; flat in int v_material;
"""

SKIN = """
#version 330
in vec3 in_position; in vec3 in_normal; in vec4 in_bones; in vec4 in_weights;
out vec3 out_position; out vec3 out_normal;
uniform mat4 bones[24];
void main() {
    mat4 m = bones[int(in_bones.x)] * in_weights.x + bones[int(in_bones.y)] * in_weights.y
           + bones[int(in_bones.z)] * in_weights.z + bones[int(in_bones.w)] * in_weights.w;
    out_position = (m * vec4(in_position, 1.0)).xyz;
    out_normal = mat3(m) * in_normal;
}
"""
"""Rest mesh to posed mesh; its results are captured, not drawn."""

SURFACE_VERTEX = """
#version 330
in vec3 in_position; in vec3 in_normal; in vec2 in_tex; in float in_material; in float in_edge;
out vec3 v_world; out vec3 v_normal; out vec2 v_tex; out float v_edge; flat out int v_material;
uniform mat4 view_projection;
void main() {
    gl_Position = view_projection * vec4(in_position, 1.0);
    v_world = in_position; v_normal = in_normal; v_tex = in_tex; v_edge = in_edge; v_material = int(in_material + 0.5);
}
"""

DEPTH_VERTEX = """
#version 330
in vec3 in_position;
uniform mat4 view_projection;
void main() { gl_Position = view_projection * vec4(in_position, 1.0); }
"""

SURFACE_FRAGMENT = (
    "#version 330\n#define MATERIALS "
    + str(MATERIALS)
    + _FRAGMENT_INTERFACE
    + """
layout(location = 0) out vec4 out_colour;
layout(location = 1) out float out_owner;
uniform sampler2DArray textures;
uniform sampler2DShadow shadow;
uniform mat4 shadow_matrix;
uniform vec4 colour_a[MATERIALS]; uniform vec4 colour_b[MATERIALS]; uniform vec4 colour_c[MATERIALS];
uniform vec4 surface[MATERIALS];   // texture layer, repeats per metre, bump, shine
uniform vec3 eye, sun, sun_colour, sky, ground, fill, fill_colour;
uniform vec4 feet[8];              // x, z, radius, strength of the soft shadow under each person
uniform int standing;
uniform float owner, exposure;
void main() {
    if (v_edge < 0.0) discard;
    vec4 p = surface[v_material];
    vec4 mask = texture(textures, vec3(v_tex * p.y, p.x));
    vec3 albedo = mix(colour_a[v_material].rgb, colour_b[v_material].rgb, mask.r);
    albedo = mix(albedo, colour_c[v_material].rgb, mask.g);
    albedo *= 1.0 + 0.35 * p.z * (mask.b - 0.5);
    vec3 n = normalize(v_normal), to_eye = normalize(eye - v_world);
    if (!gl_FrontFacing) n = -n;
    // bumps from a height without tangents (Mikkelsen 2010)
    vec3 across = dFdx(v_world), down = dFdy(v_world);
    vec3 r1 = cross(down, n), r2 = cross(n, across);
    float area = dot(across, r1);
    n = normalize(abs(area) * n - 0.005 * p.z * sign(area) * (dFdx(mask.b) * r1 + dFdy(mask.b) * r2) + 1e-12 * n);
    vec4 s = shadow_matrix * vec4(v_world + n * 0.015, 1.0);
    float lit = 1.0;
    if (all(lessThan(abs(s.xyz - 0.5), vec3(0.49)))) {
        lit = 0.0;
        for (int i = 0; i < 2; i++)
            lit += 0.5 * texture(shadow, vec3(s.xy + vec2(0.0012, 0.0007) * (i - 0.5), s.z - 0.002));
    }
    float direct = max(dot(n, sun), 0.0) * lit;
    vec3 light = sun_colour * direct + mix(ground, sky, 0.5 + 0.5 * n.y) + fill_colour * max(dot(n, fill), 0.0);
    float hollow = 1.0;
    if (abs(v_world.y) < 0.05 && n.y > 0.5)
        for (int i = 0; i < standing; i++) {
            vec2 d = v_world.xz - feet[i].xy;
            hollow *= 1.0 - feet[i].w * exp(-dot(d, d) / feet[i].z);
        }
    float gleam = max(dot(n, normalize(sun + to_eye)), 0.0);
    gleam *= gleam; gleam *= gleam; gleam *= gleam; gleam *= gleam; gleam *= gleam;
    vec3 shine = p.w * gleam * lit * sun_colour;
    vec3 colour = exposure * (albedo * light * hollow + shine);
    out_colour = vec4(sqrt(clamp(colour / (1.0 + 0.25 * colour) * 1.25, 0.0, 1.0)), 1.0);
    out_owner = owner / 255.0;
}
"""
)

DEPTH_FRAGMENT = """
#version 330
void main() {}
"""

BACKDROP_VERTEX = """
#version 330
in vec2 in_position; out vec2 v_screen;
void main() { gl_Position = vec4(in_position, 0.9999, 1.0); v_screen = in_position; }
"""

BACKDROP_FRAGMENT = """
#version 330
in vec2 v_screen;
layout(location = 0) out vec4 out_colour;
layout(location = 1) out float out_owner;
uniform sampler2DArray textures;
uniform mat3 ray;                  // screen -> world direction
uniform vec3 top, horizon, land, far_a, far_b;
uniform vec4 layers;               // texture of the far shapes, of the clouds, height and raggedness of the far shapes
uniform float exposure;
void main() {
    vec3 d = normalize(ray * vec3(v_screen, 1.0));
    float azimuth = atan(d.x, d.z) * 0.15915494;
    float rise = d.y / max(length(d.xz), 1e-4);
    float ridge = texture(textures, vec3(azimuth * 1.0, 0.37, layers.x)).b
                + 0.3 * texture(textures, vec3(azimuth * 5.0, 0.61, layers.x)).b;
    vec4 far = texture(textures, vec3(azimuth * 9.0, rise * 2.5, layers.x));
    vec4 cloud = texture(textures, vec3(azimuth * 2.0, rise * 0.8, layers.y));
    vec3 colour = mix(horizon, top, clamp(rise * 1.4, 0.0, 1.0));
    colour = mix(colour, vec3(1.0), 0.55 * smoothstep(0.45, 0.8, cloud.b) * smoothstep(0.0, 0.2, rise));
    vec3 shapes = mix(far_a, far_b, far.r) * (0.55 + 0.9 * far.b);
    colour = mix(colour, shapes, smoothstep(-0.01, 0.01, layers.z * (0.4 + layers.w * (ridge - 0.5)) - rise));
    if (rise < 0.0) colour = mix(colour, land * (0.7 + 0.6 * far.b), smoothstep(0.0, 0.02, -rise));
    colour *= exposure;
    out_colour = vec4(sqrt(clamp(colour, 0.0, 1.0)), 1.0);
    out_owner = 0.0;
}
"""
